// What a session fixes when it opens (docs/spec/session.md): terms, their hashes, and the EIP-712
// messages of the enclave, the contributors and the owners.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "evm/abi.hpp"
#include "evm/u256.hpp"

namespace ffe::session {

// The gate's rules, registered before anyone submits. Micro: millionths of a nat.
struct GatePolicy {
  uint8_t statistic = 1;    // bundle of the enclave's code: 1, or 2 for small sessions
  uint8_t accept_rule = 0;  // 1: a contribution must show evidence of gain
  uint16_t eval_pairs = 192;
  uint16_t min_rows = 16;
  uint32_t alpha_inverse = 1000;
  uint32_t harm_tolerance_micro = 160'000;
  uint32_t relevance_tolerance_micro = 110'000;
  uint16_t invalid_share_bps = 1000;

  bool operator==(const GatePolicy&) const = default;
};

// Members in the order of the Solidity struct.
struct SessionTerms {
  H256 enclave_id;
  H256 code_hash;
  Address stake_token;  // zero: the native token
  H256 base_model;
  H256 recipe;
  H256 eval_root;
  H256 sample_root;
  H256 salt;
  GatePolicy gate;
  uint64_t submit_deadline = 0;  // unix seconds
  uint32_t deliver_period = 0;   // seconds from sealing
  uint16_t quorum = 0;
  uint16_t min_accepted = 0;
  uint32_t max_rows = 0;
  std::vector<Address> participants;
  evm::U256 stake;
  evm::U256 fee;
  evm::U256 operator_bond;
  uint16_t slash_bps_harmful = 0;
  uint16_t slash_bps_invalid = 0;
  Address slash_recipient;

  bool operator==(const SessionTerms&) const = default;
};

inline constexpr uint32_t kMaxDeliverPeriod = 14 * 86400;
inline constexpr size_t kMaxParticipants = 255;
// 0x000000000000000000000000000000000000dEaD
extern const Address kBurnAddress;

// ABI type texts, for calls to the coordinator ("(bytes32,bytes32,address,…)").
extern const std::string_view kGatePolicyType;
extern const std::string_view kSessionTermsType;

evm::Value abi_value(const GatePolicy& policy);
evm::Value abi_value(const SessionTerms& terms);
SessionTerms terms_from_value(const evm::Value& value);
Bytes encode_terms(const SessionTerms& terms);  // abi.encode(terms)
SessionTerms decode_terms(ByteView encoded);    // throws Error{kBadInput}

// The same as a JSON object: camelCase members named as in Solidity; hashes and addresses as hex,
// uint256 as decimal strings, smaller integers as numbers. Strict: unknown members are refused.
Json to_json(const GatePolicy& policy);
GatePolicy gate_policy_from_json(const Json& json);
Json to_json(const SessionTerms& terms);
SessionTerms terms_from_json(const Json& json);

// Throws Error{kBadInput} naming the member and its bounds: the contract's own rules, except those
// about time and the coordinator's fixed slash recipient, which only the chain knows.
void check_bounds(const GatePolicy& policy);
void check_bounds(const SessionTerms& terms);

// keccak256(abi.encode(signer, codeHash))
H256 enclave_id(const Address& signer, const H256& code_hash);
// keccak256(abi.encode(terms))
H256 terms_hash(const SessionTerms& terms);
// keccak256(abi.encode(chainid, coordinator, opener, salt))
H256 session_tag(uint64_t chain_id, const Address& coordinator, const Address& opener,
                 const H256& salt);
// keccak256(abi.encode(keccak256("ffe.session.v1"), chainid, coordinator, sessionId, termsHash,
//                      sessionKey, seedCommitment))
H256 session_hash(uint64_t chain_id, const Address& coordinator, const evm::U256& session_id,
                  const H256& terms_hash, const H256& session_key, const H256& seed_commitment);
// keccak256(abi.encode(sessionHash, contributors, blobRoots, ownerKeyHashes)), in sealing order.
// Throws Error{kBadInput} unless the three have equal length.
H256 seal_hash(const H256& session_hash, const std::vector<Address>& contributors,
               const std::vector<H256>& blob_roots, const std::vector<H256>& owner_key_hashes);

// The EIP-712 domain {name "FFE", version "1", chainId, verifyingContract = coordinator}.
struct Domain {
  uint64_t chain_id = 0;
  Address coordinator;

  H256 separator() const;
  bool operator==(const Domain&) const = default;
};

// Digests to sign or to recover from.
// SessionKey(bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment)
H256 session_key_digest(const Domain& domain, const H256& session_tag, const H256& session_key,
                        const H256& seed_commitment);
// SessionOffer(bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment,bytes32 termsHash)
H256 session_offer_digest(const Domain& domain, const H256& session_tag, const H256& session_key,
                          const H256& seed_commitment, const H256& terms_hash);
// Submission(bytes32 binding,bytes32 dataHash,bytes32 ownerKeyHash)
H256 submission_digest(const Domain& domain, const H256& binding, const H256& data_hash,
                       const H256& owner_key_hash);
// OwnerKey(string purpose,bytes32 sessionTag) with purpose "FFE owner key v1"
H256 owner_key_digest(const Domain& domain, const H256& session_tag);
// ServiceKey(bytes32 enclaveId,bytes32 key,uint64 validUntil)
H256 service_key_digest(const Domain& domain, const H256& enclave_id, const H256& key,
                        uint64_t valid_until);

}  // namespace ffe::session
