// Owners' keys and what is sealed to them (docs/spec/artifact.md).
#pragma once

#include <functional>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "crypto/hpke.hpp"
#include "crypto/secp256k1.hpp"
#include "session/blob.hpp"
#include "session/terms.hpp"

namespace ffe::session {

// An owner key as submitted: 65 bytes (uncompressed secp256k1, of the owner's own address) or 32
// bytes (X25519).
H256 owner_key_hash(ByteView owner_key);  // keccak256 of the bytes

// Throws Error{kKey} if the key's length is neither, the point is not on its curve or of low order,
// or a secp256k1 key is not `owner`'s. The enclave excludes such a party (Reason::kBadOwnerKey).
void check_owner_key(ByteView owner_key, const Address& owner);

// X25519 key of a wallet without raw ECDH: HKDF-SHA256(ikm = r ‖ s of its OwnerKey signature, salt
// "ffe/owner/v1", info = sessionTag), clamped. `signer` is asked twice; throws Error{kKey} if it
// answers differently or not for `owner`.
crypto::X25519KeyPair derive_owner_key(const Signer& signer, const Domain& domain,
                                       const H256& session_tag, const Address& owner);

inline constexpr size_t kSealedKeyX25519 = 80;

// K sealed for one owner: ECIES (129 bytes) for a secp256k1 key; for X25519 HPKE single shot (80
// bytes) with info "ffe/key/v1" ‖ sessionHash ‖ owner.
Bytes seal_key(ByteView key, ByteView owner_key, const H256& session_hash, const Address& owner);
// Throw Error{kCorrupt} if the key was not sealed for this owner.
SecretBytes open_key(ByteView sealed, const crypto::PrivateKey& owner);
SecretBytes open_key(ByteView sealed, const crypto::X25519KeyPair& owner_key,
                     const H256& session_hash, const Address& owner);

// HPKE info of a transfer: "ffe/transfer/v1" ‖ keccak256(abi.encode(chainid, inft, tokenId,
// enclaveId, buyer, buyerKeyHash, deadline)).
struct Transfer {
  uint64_t chain_id = 0;
  Address inft;
  evm::U256 token_id;
  H256 enclave_id;
  Address buyer;
  H256 buyer_key_hash;
  uint64_t deadline = 0;
};
Bytes transfer_info(const Transfer& transfer);

}  // namespace ffe::session
