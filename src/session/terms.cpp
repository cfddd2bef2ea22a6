#include "session/terms.hpp"

#include <set>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "evm/eip712.hpp"
#include "session/json_fields.hpp"

namespace ffe::session {

const Address kBurnAddress = address_from_hex("000000000000000000000000000000000000dead");

const std::string_view kGatePolicyType =
    "(uint8 statistic,uint8 acceptRule,uint16 evalPairs,uint16 minRows,uint32 alphaInverse,"
    "uint32 harmToleranceMicro,uint32 relevanceToleranceMicro,uint16 invalidShareBps)";

const std::string_view kSessionTermsType =
    "(bytes32 enclaveId,bytes32 codeHash,address stakeToken,bytes32 baseModel,bytes32 recipe,"
    "bytes32 evalRoot,bytes32 sampleRoot,bytes32 salt,"
    "(uint8 statistic,uint8 acceptRule,uint16 evalPairs,uint16 minRows,uint32 alphaInverse,"
    "uint32 harmToleranceMicro,uint32 relevanceToleranceMicro,uint16 invalidShareBps) gate,"
    "uint64 submitDeadline,uint32 deliverPeriod,uint16 quorum,uint16 minAccepted,uint32 maxRows,"
    "address[] participants,uint256 stake,uint256 fee,uint256 operatorBond,"
    "uint16 slashBpsHarmful,uint16 slashBpsInvalid,address slashRecipient)";

namespace {

const std::vector<evm::Type>& terms_types() {
  static const std::vector<evm::Type> types{evm::parse_type(kSessionTermsType)};
  return types;
}

H256 hash_encoded(std::string_view types, const evm::Values& values) {
  return crypto::keccak256(evm::abi_encode(evm::parse_types(types), values));
}

template <class T>
T narrow(const evm::Value& value) {
  return static_cast<T>(value.as_u64());  // the decoder has checked the width
}

GatePolicy policy_from_value(const evm::Value& v) {
  GatePolicy p;
  p.statistic = narrow<uint8_t>(v[0]);
  p.accept_rule = narrow<uint8_t>(v[1]);
  p.eval_pairs = narrow<uint16_t>(v[2]);
  p.min_rows = narrow<uint16_t>(v[3]);
  p.alpha_inverse = narrow<uint32_t>(v[4]);
  p.harm_tolerance_micro = narrow<uint32_t>(v[5]);
  p.relevance_tolerance_micro = narrow<uint32_t>(v[6]);
  p.invalid_share_bps = narrow<uint16_t>(v[7]);
  return p;
}

[[noreturn]] void out_of_bounds(std::string_view field, const std::string& rule) {
  throw Error(ErrorCode::kBadInput, "terms: " + std::string(field) + " must be " + rule,
              "change " + std::string(field) + " in the terms");
}

void check_range(std::string_view field, uint64_t value, uint64_t low, uint64_t high) {
  if (value < low || value > high) {
    out_of_bounds(field, "from " + std::to_string(low) + " to " + std::to_string(high) + ", not " +
                             std::to_string(value));
  }
}

void check_at_least(std::string_view field, uint64_t value, uint64_t low) {
  if (value < low) {
    out_of_bounds(field, "at least " + std::to_string(low) + ", not " + std::to_string(value));
  }
}

void check_participants(const SessionTerms& terms) {
  const auto& all = terms.participants;
  if (all.size() < 2 || all.size() > kMaxParticipants) {
    out_of_bounds("participants", "2 to 255 addresses, not " + std::to_string(all.size()));
  }
  std::set<Address> seen;
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string field = "participants[" + std::to_string(i) + "]";
    if (all[i].is_zero()) out_of_bounds(field, "an address, not zero");
    if (!seen.insert(all[i]).second) out_of_bounds(field, "another address than those before it");
  }
}

H256 struct_digest(const Domain& domain, std::string_view type, const evm::Values& members) {
  return evm::typed_data_digest(domain.separator(), evm::hash_struct(type, members));
}

}  // namespace

evm::Value abi_value(const GatePolicy& p) {
  return evm::Values{p.statistic,
                     p.accept_rule,
                     p.eval_pairs,
                     p.min_rows,
                     p.alpha_inverse,
                     p.harm_tolerance_micro,
                     p.relevance_tolerance_micro,
                     p.invalid_share_bps};
}

evm::Value abi_value(const SessionTerms& t) {
  return evm::Values{
      t.enclave_id,     t.code_hash,   t.stake_token,   t.base_model,        t.recipe,
      t.eval_root,      t.sample_root, t.salt,          abi_value(t.gate),   t.submit_deadline,
      t.deliver_period, t.quorum,      t.min_accepted,  t.max_rows,          t.participants,
      t.stake,          t.fee,         t.operator_bond, t.slash_bps_harmful, t.slash_bps_invalid,
      t.slash_recipient};
}

SessionTerms terms_from_value(const evm::Value& v) {
  SessionTerms t;
  t.enclave_id = v[0].as_h256();
  t.code_hash = v[1].as_h256();
  t.stake_token = v[2].as_address();
  t.base_model = v[3].as_h256();
  t.recipe = v[4].as_h256();
  t.eval_root = v[5].as_h256();
  t.sample_root = v[6].as_h256();
  t.salt = v[7].as_h256();
  t.gate = policy_from_value(v[8]);
  t.submit_deadline = v[9].as_u64();
  t.deliver_period = narrow<uint32_t>(v[10]);
  t.quorum = narrow<uint16_t>(v[11]);
  t.min_accepted = narrow<uint16_t>(v[12]);
  t.max_rows = narrow<uint32_t>(v[13]);
  for (const evm::Value& p : v[14].items()) t.participants.push_back(p.as_address());
  t.stake = v[15].as_u256();
  t.fee = v[16].as_u256();
  t.operator_bond = v[17].as_u256();
  t.slash_bps_harmful = narrow<uint16_t>(v[18]);
  t.slash_bps_invalid = narrow<uint16_t>(v[19]);
  t.slash_recipient = v[20].as_address();
  return t;
}

Bytes encode_terms(const SessionTerms& terms) {
  return evm::abi_encode(terms_types(), {abi_value(terms)});
}

SessionTerms decode_terms(ByteView encoded) {
  return terms_from_value(evm::abi_decode(terms_types(), encoded)[0]);
}

Json to_json(const GatePolicy& p) {
  return {{"statistic", p.statistic},
          {"acceptRule", p.accept_rule},
          {"evalPairs", p.eval_pairs},
          {"minRows", p.min_rows},
          {"alphaInverse", p.alpha_inverse},
          {"harmToleranceMicro", p.harm_tolerance_micro},
          {"relevanceToleranceMicro", p.relevance_tolerance_micro},
          {"invalidShareBps", p.invalid_share_bps}};
}

GatePolicy gate_policy_from_json(const Json& json) {
  Fields f(json, "gate");
  GatePolicy p;
  f.get("statistic", p.statistic);
  f.get("acceptRule", p.accept_rule);
  f.get("evalPairs", p.eval_pairs);
  f.get("minRows", p.min_rows);
  f.get("alphaInverse", p.alpha_inverse);
  f.get("harmToleranceMicro", p.harm_tolerance_micro);
  f.get("relevanceToleranceMicro", p.relevance_tolerance_micro);
  f.get("invalidShareBps", p.invalid_share_bps);
  f.done();
  return p;
}

Json to_json(const SessionTerms& t) {
  Json participants = Json::array();
  for (const Address& p : t.participants) participants.push_back(to_hex0x(p.bytes));
  return {{"enclaveId", to_hex0x(t.enclave_id.bytes)},
          {"codeHash", to_hex0x(t.code_hash.bytes)},
          {"stakeToken", to_hex0x(t.stake_token.bytes)},
          {"baseModel", to_hex0x(t.base_model.bytes)},
          {"recipe", to_hex0x(t.recipe.bytes)},
          {"evalRoot", to_hex0x(t.eval_root.bytes)},
          {"sampleRoot", to_hex0x(t.sample_root.bytes)},
          {"salt", to_hex0x(t.salt.bytes)},
          {"gate", to_json(t.gate)},
          {"submitDeadline", t.submit_deadline},
          {"deliverPeriod", t.deliver_period},
          {"quorum", t.quorum},
          {"minAccepted", t.min_accepted},
          {"maxRows", t.max_rows},
          {"participants", std::move(participants)},
          {"stake", t.stake.to_string()},
          {"fee", t.fee.to_string()},
          {"operatorBond", t.operator_bond.to_string()},
          {"slashBpsHarmful", t.slash_bps_harmful},
          {"slashBpsInvalid", t.slash_bps_invalid},
          {"slashRecipient", to_hex0x(t.slash_recipient.bytes)}};
}

SessionTerms terms_from_json(const Json& json) {
  Fields f(json, "terms");
  SessionTerms t;
  f.get("enclaveId", t.enclave_id);
  f.get("codeHash", t.code_hash);
  f.get("stakeToken", t.stake_token);
  f.get("baseModel", t.base_model);
  f.get("recipe", t.recipe);
  f.get("evalRoot", t.eval_root);
  f.get("sampleRoot", t.sample_root);
  f.get("salt", t.salt);
  t.gate = gate_policy_from_json(f.member("gate"));
  f.get("submitDeadline", t.submit_deadline);
  f.get("deliverPeriod", t.deliver_period);
  f.get("quorum", t.quorum);
  f.get("minAccepted", t.min_accepted);
  f.get("maxRows", t.max_rows);
  f.each("participants", kMaxParticipants, [&](const Json& item, const std::string& where) {
    t.participants.push_back(hex_value<20>(item, where));
  });
  f.get("stake", t.stake);
  f.get("fee", t.fee);
  f.get("operatorBond", t.operator_bond);
  f.get("slashBpsHarmful", t.slash_bps_harmful);
  f.get("slashBpsInvalid", t.slash_bps_invalid);
  f.get("slashRecipient", t.slash_recipient);
  f.done();
  return t;
}

void check_bounds(const GatePolicy& p) {
  check_range("gate.statistic", p.statistic, 1, 2);
  check_range("gate.acceptRule", p.accept_rule, 0, 1);
  check_range("gate.evalPairs", p.eval_pairs, 32, 4096);
  check_at_least("gate.alphaInverse", p.alpha_inverse, 1000);
  check_at_least("gate.harmToleranceMicro", p.harm_tolerance_micro, 50'000);
  check_at_least("gate.relevanceToleranceMicro", p.relevance_tolerance_micro, 50'000);
  check_range("gate.invalidShareBps", p.invalid_share_bps, 1000, 10'000);
}

void check_bounds(const SessionTerms& t) {
  check_bounds(t.gate);
  check_participants(t);
  check_range("quorum", t.quorum, 2, t.participants.size());
  check_range("minAccepted", t.min_accepted, 2, t.quorum);
  check_at_least("maxRows", t.max_rows, 1);
  check_range("deliverPeriod", t.deliver_period, 1, kMaxDeliverPeriod);
  check_range("submitDeadline", t.submit_deadline, 1, (uint64_t{1} << 53) - 1);
  check_range("slashBpsHarmful", t.slash_bps_harmful, 0, 10'000);
  check_range("slashBpsInvalid", t.slash_bps_invalid, 0, 10'000);
  if (t.slash_recipient.is_zero()) out_of_bounds("slashRecipient", "an address, not zero");
}

H256 enclave_id(const Address& signer, const H256& code_hash) {
  return hash_encoded("address,bytes32", {signer, code_hash});
}

H256 terms_hash(const SessionTerms& terms) {
  return crypto::keccak256(encode_terms(terms));
}

H256 session_tag(uint64_t chain_id, const Address& coordinator, const Address& opener,
                 const H256& salt) {
  return hash_encoded("uint256,address,address,bytes32", {chain_id, coordinator, opener, salt});
}

H256 session_hash(uint64_t chain_id, const Address& coordinator, const evm::U256& session_id,
                  const H256& terms_hash, const H256& session_key, const H256& seed_commitment) {
  static const H256 tag = crypto::keccak256("ffe.session.v1");
  return hash_encoded(
      "bytes32,uint256,address,uint256,bytes32,bytes32,bytes32",
      {tag, chain_id, coordinator, session_id, terms_hash, session_key, seed_commitment});
}

H256 seal_hash(const H256& session_hash, const std::vector<Address>& contributors,
               const std::vector<H256>& blob_roots, const std::vector<H256>& owner_key_hashes) {
  if (blob_roots.size() != contributors.size() || owner_key_hashes.size() != contributors.size()) {
    throw Error(ErrorCode::kBadInput,
                "seal hash: contributors, blob roots and owner key hashes differ in number");
  }
  return hash_encoded("bytes32,address[],bytes32[],bytes32[]",
                      {session_hash, contributors, blob_roots, owner_key_hashes});
}

H256 Domain::separator() const {
  return evm::domain_separator("FFE", "1", chain_id, coordinator);
}

H256 session_key_digest(const Domain& domain, const H256& session_tag, const H256& session_key,
                        const H256& seed_commitment) {
  return struct_digest(domain,
                       "SessionKey(bytes32 sessionTag,bytes32 sessionKey,bytes32 seedCommitment)",
                       {session_tag, session_key, seed_commitment});
}

H256 session_offer_digest(const Domain& domain, const H256& session_tag, const H256& session_key,
                          const H256& seed_commitment, const H256& terms_hash) {
  return struct_digest(domain,
                       "SessionOffer(bytes32 sessionTag,bytes32 sessionKey,"
                       "bytes32 seedCommitment,bytes32 termsHash)",
                       {session_tag, session_key, seed_commitment, terms_hash});
}

H256 submission_digest(const Domain& domain, const H256& binding, const H256& data_hash,
                       const H256& owner_key_hash) {
  return struct_digest(domain, "Submission(bytes32 binding,bytes32 dataHash,bytes32 ownerKeyHash)",
                       {binding, data_hash, owner_key_hash});
}

H256 owner_key_digest(const Domain& domain, const H256& session_tag) {
  return struct_digest(domain, "OwnerKey(string purpose,bytes32 sessionTag)",
                       {"FFE owner key v1", session_tag});
}

H256 service_key_digest(const Domain& domain, const H256& enclave_id, const H256& key,
                        uint64_t valid_until) {
  return struct_digest(domain, "ServiceKey(bytes32 enclaveId,bytes32 key,uint64 validUntil)",
                       {enclave_id, key, valid_until});
}

}  // namespace ffe::session
