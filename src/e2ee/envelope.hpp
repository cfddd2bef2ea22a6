// Requests and responses of 0G's E2EE protocol v1: an OpenAI-style JSON object in which the fields
// that a router must not read are sealed to the enclave (requests) or to the client (responses).
// HPKE base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305; the rest of the object is authenticated.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crypto/hpke.hpp"
#include "e2ee/key.hpp"
#include "e2ee/proof.hpp"

namespace ffe::e2ee {

// How much of a message is sealed, and what somebody on the way may change.
enum class Profile {
  // As 0G's clients do it: of requests "messages" and "tools", of answers "choices"; a router may
  // rewrite the model's name, and who answers is known when the signature comes, after the answer.
  kProtocol,
  // Every field is sealed and nothing may be changed. The answer's first frame carries the
  // enclave's signature over this answer's key ("opening"), so that each frame of a stream is known
  // to be the enclave's when it comes.
  kStrict,
};

// Fields of a request that are sealed by default: "messages", and "tools" where it has some.
std::vector<std::string> default_sealed(const Json& request);

// What one request leaves behind: opens the answer's frames, in order, and keeps what its signature
// must be about. Not thread-safe.
class ResponseOpener {
 public:
  // `signer` (kStrict): who must have signed the opening.
  ResponseOpener(crypto::X25519KeyPair key, const H256& request_hash,
                 Profile profile = Profile::kProtocol, const Address& signer = {});

  // One frame (a response that is not streamed is one, with final = true), with the sealed fields
  // in their place and without "_e2ee". Throws Error{kBadInput} for a malformed frame, {kCorrupt}
  // for one that is altered, out of order, repeated, of another exchange, or after the final one.
  Json open(const Json& frame);
  // Whether the final frame was seen: without it the answer was cut off.
  bool complete() const { return complete_; }
  // Requires the final frame, then check_proof() over all that came. Throws Error{kCorrupt}.
  void check(std::string_view text, const crypto::Signature& signature, bool streamed,
             const Address& signer) const;

 private:
  void check_strict(const Json& frame, const Json& inner, bool first) const;

  crypto::X25519KeyPair key_;
  H256 request_hash_;
  Profile profile_;
  Address signer_;
  std::optional<crypto::HpkeReceiver> receiver_;
  std::vector<H256> frames_;
  bool complete_ = false;
};

struct SealedRequest {
  Json envelope;
  ResponseOpener opener;
};
// Throws Error{kUsage} if a field to seal is missing or the request has a "_e2ee" of its own.
// `ephemeral` and `client`: for known-answer tests only.
SealedRequest seal_request(const Json& request, const Recipient& recipient,
                           const std::vector<std::string>& sealed_fields,
                           const crypto::X25519KeyPair* ephemeral = nullptr,
                           const crypto::X25519KeyPair* client = nullptr);
// Seals every field and lets nothing be changed (Profile::kStrict).
SealedRequest seal_request_strictly(const Json& request, const Recipient& recipient);

// The enclave's side.
struct OpenedRequest {
  Json request;  // whole, without "_e2ee"
  std::vector<std::string> sealed_fields;
  std::vector<std::string> unbound_fields;  // may have been changed on the way
  H256 hash;
  FixedBytes<32> client_key;
};
// Throws Error{kBadInput} (malformed), {kUnsupported} (version, suite), {kKey} (for another key or
// signer), {kCorrupt} (altered).
OpenedRequest open_request(const Json& envelope, const crypto::X25519KeyPair& key,
                           const Address& signer);

// Seals one answer, frame by frame. Not thread-safe.
class ResponseSealer {
 public:
  explicit ResponseSealer(const OpenedRequest& request);
  ResponseSealer(const OpenedRequest& request, const crypto::X25519KeyPair& ephemeral);  // KATs
  // Profile::kStrict: every field is sealed, and `signer` signs the opening.
  ResponseSealer(const OpenedRequest& request, const crypto::PrivateKey& signer);

  // kProtocol: "choices" is sealed; the rest stays readable and is authenticated. After the final
  // frame no other: Error{kInternal}. Throws Error{kBadInput} for a body that is no object, or
  // (kProtocol) has no "choices".
  Json seal(const Json& body, bool final);
  // The proof over all frames, after the final one.
  std::string proof(bool streamed) const;

 private:
  H256 request_hash_;
  crypto::HpkeSender sender_;
  std::optional<crypto::Signature> opening_;  // kStrict
  std::vector<H256> frames_;
  bool complete_ = false;
};

}  // namespace ffe::e2ee
