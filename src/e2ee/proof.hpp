// Signed answers of 0G's E2EE protocol v1: what a response signature says about the request and the
// response that it belongs to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "crypto/secp256k1.hpp"

namespace ffe::e2ee {

// sha256(sha256(aad) ‖ sha256(ciphertext)): an encrypted message without opening it.
H256 binding_hash(ByteView aad, ByteView ciphertext);
// The aad of an envelope: its JCS without _e2ee.ciphertext and the fields that it lists as unbound.
// Throws Error{kBadInput} if the envelope is malformed.
std::string envelope_aad(const Json& envelope);
// Of an envelope (a request, a response, a frame).
H256 envelope_hash(const Json& envelope);
// sha256 of all frames' hashes in order.
H256 stream_hash(const std::vector<H256>& frames);
// sha256 of the JCS: of a body that is not encrypted.
H256 plain_hash(const Json& body);

enum class Scheme { kCiphertext, kCiphertextStream, kPlain };
std::string_view scheme_name(Scheme scheme);  // "zg-sig-v1/e2ee-ct", "…-stream", "zg-sig-v1/plain"

// "<scheme>:<request hash>:<response hash>": what the enclave signs.
std::string proof_text(Scheme scheme, const H256& request, const H256& response);
// "ffe-opening-v1:<request hash>:<sha256 of the answer's HPKE key `enc`>": signed before an
// answer's first frame, it says that who seals the frames is who signs (Profile::kStrict).
std::string opening_text(const H256& request, const FixedBytes<32>& enc);

// EIP-191 over the text.
crypto::Signature sign_proof(const crypto::PrivateKey& signer, std::string_view text);
// Who signed the text; throws Error{kCorrupt} for a malformed signature.
Address proof_signer(std::string_view text, const crypto::Signature& signature);

// Both the text and who signed it: a signature over another exchange proves nothing about this one.
// `signer` is what quote and chain say, never what the answer says. Throws Error{kCorrupt}.
void check_proof(std::string_view text, const crypto::Signature& signature, Scheme scheme,
                 const H256& request, const H256& response, const Address& signer);

}  // namespace ffe::e2ee
