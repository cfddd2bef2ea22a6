// The enclave's signed certificates (docs/spec/session.md): rejection, result and abort.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "crypto/secp256k1.hpp"
#include "evm/abi.hpp"
#include "session/terms.hpp"

namespace ffe::session {

using Uint128 = unsigned __int128;
std::string to_decimal(Uint128 value);
Uint128 uint128_from_decimal(std::string_view text, std::string_view what);

enum class Verdict : uint8_t { kAccept = 1, kExclude = 2, kReject = 3 };

enum class Reason : uint8_t {
  kNone = 0,
  kHarmful = 1,  // reject: statistical proof of harm
  kInvalid = 2,  // reject: bytes of the committed root that cannot be used
  kSuspectedHarm = 16,
  kBackdoor = 17,
  kTooFewRows = 18,
  kNotAvailable = 19,
  kNoGain = 20,
  kPoolOverlap = 21,
  kBadOwnerKey = 22,
};

enum class AbortReason : uint8_t { kPoolUnfit = 1, kModelOrRecipe = 2 };

std::string_view name(Verdict verdict);     // "accept", "exclude", "reject"
std::string_view name(Reason reason);       // "none", "harmful", "too_few_rows", …
std::string_view name(AbortReason reason);  // "pool_unfit", "model_or_recipe"
std::string_view explain(Reason reason);    // one sentence for people
std::string_view explain(AbortReason reason);
// Throw Error{kBadInput} for a number or name that the protocol does not know.
Verdict verdict_from_number(uint64_t number);
Reason reason_from_number(uint64_t number);
AbortReason abort_reason_from_number(uint64_t number);
Verdict verdict_from_name(std::string_view text);
Reason reason_from_name(std::string_view text);
// The verdict that goes with a reason (kNone: accept).
Verdict verdict_of(Reason reason);

struct RejectionCertificate {
  H256 seal_hash;
  Address contributor;
  H256 blob_root;
  Reason reason = Reason::kHarmful;
  uint32_t eval_pairs = 0;
  int64_t harm_micro_nats = 0;
  int64_t relevance_lost_micro_nats = 0;
  Uint128 evidence = 0;
  H256 gate_root;

  bool operator==(const RejectionCertificate&) const = default;
};

struct ContributorVerdict {
  Address contributor;
  H256 blob_root;
  Verdict verdict = Verdict::kAccept;
  Reason reason = Reason::kNone;
  Uint128 evidence = 0;

  bool operator==(const ContributorVerdict&) const = default;
};

struct Owner {
  Address owner;
  H256 owner_key_hash;
  Bytes sealed_key;

  bool operator==(const Owner&) const = default;
};

struct ResultCertificate {
  H256 seal_hash;
  H256 artifact_root;  // zero with no owners: fewer than minAccepted were accepted
  H256 gate_root;
  H256 report_root;
  H256 seed;
  std::vector<ContributorVerdict> verdicts;  // in sealing order
  std::vector<Owner> owners;                 // the accepted, in the same order
  uint32_t base_loss_micro_nats = 0;
  uint32_t joint_loss_micro_nats = 0;

  bool operator==(const ResultCertificate&) const = default;
};

struct AbortCertificate {
  H256 seal_hash;
  AbortReason reason = AbortReason::kPoolUnfit;
  H256 gate_root;

  bool operator==(const AbortCertificate&) const = default;
};

using Certificate = std::variant<RejectionCertificate, ResultCertificate, AbortCertificate>;

// ABI type texts and values for slashWithProof, finalize and abort.
extern const std::string_view kRejectionType;
extern const std::string_view kResultType;
extern const std::string_view kAbortType;
evm::Value abi_value(const RejectionCertificate& certificate);
evm::Value abi_value(const ResultCertificate& certificate);
evm::Value abi_value(const AbortCertificate& certificate);
// Throws Error{kBadInput} for a verdict, reason or number that the protocol does not know.
ResultCertificate result_from_value(const evm::Value& value);

// EIP-712 digests in the coordinator's domain.
H256 digest(const Domain& domain, const RejectionCertificate& certificate);
H256 digest(const Domain& domain, const ResultCertificate& certificate);
H256 digest(const Domain& domain, const AbortCertificate& certificate);

// A certificate as anyone may carry it to the chain.
struct SignedCertificate {
  Domain domain;
  evm::U256 session_id;
  Certificate certificate;
  crypto::Signature signature;

  // Who signed; throws Error{kCorrupt} for a malformed signature.
  Address signer() const;
};

SignedCertificate sign(const Domain& domain, const evm::U256& session_id,
                       const Certificate& certificate, const crypto::PrivateKey& enclave);

// Files: {"format":"ffe.certificate.v1","kind":…,"chainId":…,"coordinator":…,"sessionId":…,
// "certificate":{…},"signature":…}. Strict; throws Error{kBadInput} naming the member.
Json to_json(const SignedCertificate& certificate);
SignedCertificate certificate_from_json(const Json& json);

}  // namespace ffe::session
