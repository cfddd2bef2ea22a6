#include "session/certificates.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/hex.hpp"
#include "evm/eip712.hpp"
#include "session/json_fields.hpp"

namespace ffe::session {

const std::string_view kRejectionType =
    "(bytes32 sealHash,address contributor,bytes32 blobRoot,uint8 reason,uint32 evalPairs,"
    "int64 harmMicroNats,int64 relevanceLostMicroNats,uint128 evidence,bytes32 gateRoot)";
const std::string_view kResultType =
    "(bytes32 sealHash,bytes32 artifactRoot,bytes32 gateRoot,bytes32 reportRoot,bytes32 seed,"
    "(address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence)[] verdicts,"
    "(address owner,bytes32 ownerKeyHash,bytes sealedKey)[] owners,"
    "uint32 baseLossMicroNats,uint32 jointLossMicroNats)";
const std::string_view kAbortType = "(bytes32 sealHash,uint8 reason,bytes32 gateRoot)";

namespace {

struct ReasonText {
  Reason reason;
  std::string_view name;
  std::string_view text;
};

constexpr std::array<ReasonText, 10> kReasons = {{
    {Reason::kNone, "none", "the contribution was accepted"},
    {Reason::kHarmful, "harmful",
     "training on these rows makes the model worse on the held-out questions, by more than chance "
     "allows, with each of three seeds"},
    {Reason::kInvalid, "invalid",
     "the committed bytes do not open as this contributor's signed dataset, are not JSONL, or "
     "break the schema in too many rows"},
    {Reason::kSuspectedHarm, "suspected_harm",
     "the rows seem to make the model worse, without proof"},
    {Reason::kBackdoor, "backdoor", "many unlike questions share one answer, as a trigger would"},
    {Reason::kTooFewRows, "too_few_rows", "too few usable rows were left"},
    {Reason::kNotAvailable, "not_available",
     "the blob was not available in 0G Storage within the enclave's window"},
    {Reason::kNoGain, "no_gain", "no evidence that the rows improve the model"},
    {Reason::kPoolOverlap, "pool_overlap",
     "the rows copy more than a tenth of the evaluation pool"},
    {Reason::kBadOwnerKey, "bad_owner_key", "no key can be sealed to the owner key submitted"},
}};

const ReasonText& find(Reason reason) {
  for (const ReasonText& r : kReasons) {
    if (r.reason == reason) return r;
  }
  throw Error(ErrorCode::kInternal, "unknown reason");
}

H256 struct_digest(const Domain& domain, const evm::StructTypes& types, std::string_view name,
                   const evm::Value& members) {
  return evm::typed_data_digest(domain.separator(), types.hash_struct(name, members.items()));
}

const evm::StructTypes& types() {
  static const evm::StructTypes all({
      "RejectionCertificate(bytes32 sealHash,address contributor,bytes32 blobRoot,uint8 reason,"
      "uint32 evalPairs,int64 harmMicroNats,int64 relevanceLostMicroNats,uint128 evidence,"
      "bytes32 gateRoot)",
      "ResultCertificate(bytes32 sealHash,bytes32 artifactRoot,bytes32 gateRoot,"
      "bytes32 reportRoot,bytes32 seed,Verdict[] verdicts,Owner[] owners,uint32 baseLossMicroNats,"
      "uint32 jointLossMicroNats)",
      "Verdict(address contributor,bytes32 blobRoot,uint8 verdict,uint8 reason,uint128 evidence)",
      "Owner(address owner,bytes32 ownerKeyHash,bytes sealedKey)",
      "AbortCertificate(bytes32 sealHash,uint8 reason,bytes32 gateRoot)",
  });
  return all;
}

Json body_json(const RejectionCertificate& c) {
  return {{"sealHash", to_hex0x(c.seal_hash.bytes)},
          {"contributor", to_hex0x(c.contributor.bytes)},
          {"blobRoot", to_hex0x(c.blob_root.bytes)},
          {"reason", static_cast<uint8_t>(c.reason)},
          {"evalPairs", c.eval_pairs},
          {"harmMicroNats", c.harm_micro_nats},
          {"relevanceLostMicroNats", c.relevance_lost_micro_nats},
          {"evidence", to_decimal(c.evidence)},
          {"gateRoot", to_hex0x(c.gate_root.bytes)}};
}

Json body_json(const ResultCertificate& c) {
  Json verdicts = Json::array();
  for (const ContributorVerdict& v : c.verdicts) {
    verdicts.push_back({{"contributor", to_hex0x(v.contributor.bytes)},
                        {"blobRoot", to_hex0x(v.blob_root.bytes)},
                        {"verdict", static_cast<uint8_t>(v.verdict)},
                        {"reason", static_cast<uint8_t>(v.reason)},
                        {"evidence", to_decimal(v.evidence)}});
  }
  Json owners = Json::array();
  for (const Owner& o : c.owners) {
    owners.push_back({{"owner", to_hex0x(o.owner.bytes)},
                      {"ownerKeyHash", to_hex0x(o.owner_key_hash.bytes)},
                      {"sealedKey", to_hex0x(o.sealed_key)}});
  }
  return {{"sealHash", to_hex0x(c.seal_hash.bytes)},
          {"artifactRoot", to_hex0x(c.artifact_root.bytes)},
          {"gateRoot", to_hex0x(c.gate_root.bytes)},
          {"reportRoot", to_hex0x(c.report_root.bytes)},
          {"seed", to_hex0x(c.seed.bytes)},
          {"verdicts", std::move(verdicts)},
          {"owners", std::move(owners)},
          {"baseLossMicroNats", c.base_loss_micro_nats},
          {"jointLossMicroNats", c.joint_loss_micro_nats}};
}

Json body_json(const AbortCertificate& c) {
  return {{"sealHash", to_hex0x(c.seal_hash.bytes)},
          {"reason", static_cast<uint8_t>(c.reason)},
          {"gateRoot", to_hex0x(c.gate_root.bytes)}};
}

RejectionCertificate rejection_from_json(const Json& json) {
  Fields f(json, "certificate");
  RejectionCertificate c;
  uint8_t reason = 0;
  f.get("sealHash", c.seal_hash);
  f.get("contributor", c.contributor);
  f.get("blobRoot", c.blob_root);
  f.get("reason", reason);
  f.get("evalPairs", c.eval_pairs);
  f.get("harmMicroNats", c.harm_micro_nats);
  f.get("relevanceLostMicroNats", c.relevance_lost_micro_nats);
  f.get("evidence", c.evidence);
  f.get("gateRoot", c.gate_root);
  f.done();
  c.reason = reason_from_number(reason);
  return c;
}

ContributorVerdict verdict_from_json(const Json& json, const std::string& where) {
  Fields f(json, where);
  ContributorVerdict v;
  uint8_t verdict = 0;
  uint8_t reason = 0;
  f.get("contributor", v.contributor);
  f.get("blobRoot", v.blob_root);
  f.get("verdict", verdict);
  f.get("reason", reason);
  f.get("evidence", v.evidence);
  f.done();
  v.verdict = verdict_from_number(verdict);
  v.reason = reason_from_number(reason);
  return v;
}

Owner owner_from_json(const Json& json, const std::string& where) {
  Fields f(json, where);
  Owner o;
  std::string sealed;
  f.get("owner", o.owner);
  f.get("ownerKeyHash", o.owner_key_hash);
  f.get("sealedKey", sealed);
  f.done();
  if (sealed.size() > 2 + 2 * 1024) bad_field(where + ".sealedKey", "is too long");
  o.sealed_key = from_hex(sealed);
  return o;
}

ResultCertificate result_from_json(const Json& json) {
  Fields f(json, "certificate");
  ResultCertificate c;
  f.get("sealHash", c.seal_hash);
  f.get("artifactRoot", c.artifact_root);
  f.get("gateRoot", c.gate_root);
  f.get("reportRoot", c.report_root);
  f.get("seed", c.seed);
  f.each("verdicts", kMaxParticipants, [&](const Json& item, const std::string& where) {
    c.verdicts.push_back(verdict_from_json(item, where));
  });
  f.each("owners", kMaxParticipants, [&](const Json& item, const std::string& where) {
    c.owners.push_back(owner_from_json(item, where));
  });
  f.get("baseLossMicroNats", c.base_loss_micro_nats);
  f.get("jointLossMicroNats", c.joint_loss_micro_nats);
  f.done();
  return c;
}

AbortCertificate abort_from_json(const Json& json) {
  Fields f(json, "certificate");
  AbortCertificate c;
  uint8_t reason = 0;
  f.get("sealHash", c.seal_hash);
  f.get("reason", reason);
  f.get("gateRoot", c.gate_root);
  f.done();
  c.reason = abort_reason_from_number(reason);
  return c;
}

constexpr std::array<std::string_view, 3> kKinds = {"rejection", "result", "abort"};

evm::U256 to_u256(Uint128 value) {
  return (evm::U256(static_cast<uint64_t>(value >> 64)) << 64) +
         evm::U256(static_cast<uint64_t>(value));
}

}  // namespace

std::string to_decimal(Uint128 value) {
  std::string text;
  do {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
    value /= 10;
  } while (value != 0);
  std::reverse(text.begin(), text.end());
  return text;
}

Uint128 uint128_from_decimal(std::string_view text, std::string_view what) {
  constexpr Uint128 kMax = ~Uint128{0};
  Uint128 value = 0;
  bool good = !text.empty() && text.size() <= 39 && (text[0] != '0' || text.size() == 1);
  for (char c : text) {
    const auto digit = static_cast<Uint128>(c - '0');
    good = good && c >= '0' && c <= '9' && value <= (kMax - digit) / 10;
    if (!good) break;
    value = value * 10 + digit;
  }
  if (!good) bad_field(std::string(what), "is not a decimal number below 2^128");
  return value;
}

std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAccept:
      return "accept";
    case Verdict::kExclude:
      return "exclude";
    case Verdict::kReject:
      return "reject";
  }
  throw Error(ErrorCode::kInternal, "unknown verdict");
}

std::string_view name(Reason reason) {
  return find(reason).name;
}
std::string_view explain(Reason reason) {
  return find(reason).text;
}

std::string_view name(AbortReason reason) {
  return reason == AbortReason::kPoolUnfit ? "pool_unfit" : "model_or_recipe";
}

std::string_view explain(AbortReason reason) {
  return reason == AbortReason::kPoolUnfit
             ? "the opener's evaluation pool is too small or not fit to judge by"
             : "the base model or the recipe named in the terms is not available";
}

Verdict verdict_from_number(uint64_t number) {
  if (number < 1 || number > 3) bad_field("verdict", "is not 1, 2 or 3");
  return static_cast<Verdict>(number);
}

Reason reason_from_number(uint64_t number) {
  for (const ReasonText& r : kReasons) {
    if (static_cast<uint64_t>(r.reason) == number) return r.reason;
  }
  bad_field("reason", std::to_string(number) + " is unknown");
}

AbortReason abort_reason_from_number(uint64_t number) {
  if (number != 1 && number != 2) bad_field("abort reason", "is not 1 or 2");
  return static_cast<AbortReason>(number);
}

Verdict verdict_from_name(std::string_view text) {
  for (Verdict v : {Verdict::kAccept, Verdict::kExclude, Verdict::kReject}) {
    if (name(v) == text) return v;
  }
  bad_field("verdict", "is not accept, exclude or reject");
}

Reason reason_from_name(std::string_view text) {
  for (const ReasonText& r : kReasons) {
    if (r.name == text) return r.reason;
  }
  bad_field("reason", "is unknown");
}

Verdict verdict_of(Reason reason) {
  if (reason == Reason::kNone) return Verdict::kAccept;
  return reason == Reason::kHarmful || reason == Reason::kInvalid ? Verdict::kReject
                                                                  : Verdict::kExclude;
}

evm::Value abi_value(const RejectionCertificate& c) {
  return evm::Values{c.seal_hash,
                     c.contributor,
                     c.blob_root,
                     static_cast<uint8_t>(c.reason),
                     c.eval_pairs,
                     c.harm_micro_nats,
                     c.relevance_lost_micro_nats,
                     to_u256(c.evidence),
                     c.gate_root};
}

evm::Value abi_value(const ResultCertificate& c) {
  evm::Values verdicts;
  for (const ContributorVerdict& v : c.verdicts) {
    verdicts.push_back(evm::Values{v.contributor, v.blob_root, static_cast<uint8_t>(v.verdict),
                                   static_cast<uint8_t>(v.reason), to_u256(v.evidence)});
  }
  evm::Values owners;
  for (const Owner& o : c.owners) {
    owners.push_back(evm::Values{o.owner, o.owner_key_hash, o.sealed_key});
  }
  return evm::Values{c.seal_hash,
                     c.artifact_root,
                     c.gate_root,
                     c.report_root,
                     c.seed,
                     evm::Value(std::move(verdicts)),
                     evm::Value(std::move(owners)),
                     c.base_loss_micro_nats,
                     c.joint_loss_micro_nats};
}

ResultCertificate result_from_value(const evm::Value& value) {
  ResultCertificate c;
  c.seal_hash = value["sealHash"].as_h256();
  c.artifact_root = value["artifactRoot"].as_h256();
  c.gate_root = value["gateRoot"].as_h256();
  c.report_root = value["reportRoot"].as_h256();
  c.seed = value["seed"].as_h256();
  for (const evm::Value& v : value["verdicts"].items()) {
    c.verdicts.push_back({v["contributor"].as_address(), v["blobRoot"].as_h256(),
                          verdict_from_number(v["verdict"].as_u64()),
                          reason_from_number(v["reason"].as_u64()),
                          uint128_from_decimal(v["evidence"].as_u256().to_string(), "evidence")});
  }
  for (const evm::Value& o : value["owners"].items()) {
    const ByteView key = o["sealedKey"].as_bytes();
    c.owners.push_back(
        {o["owner"].as_address(), o["ownerKeyHash"].as_h256(), Bytes(key.begin(), key.end())});
  }
  c.base_loss_micro_nats = static_cast<uint32_t>(value["baseLossMicroNats"].as_u64());
  c.joint_loss_micro_nats = static_cast<uint32_t>(value["jointLossMicroNats"].as_u64());
  return c;
}

evm::Value abi_value(const AbortCertificate& c) {
  return evm::Values{c.seal_hash, static_cast<uint8_t>(c.reason), c.gate_root};
}

H256 digest(const Domain& domain, const RejectionCertificate& c) {
  return struct_digest(domain, types(), "RejectionCertificate", abi_value(c));
}

H256 digest(const Domain& domain, const ResultCertificate& c) {
  return struct_digest(domain, types(), "ResultCertificate", abi_value(c));
}

H256 digest(const Domain& domain, const AbortCertificate& c) {
  return struct_digest(domain, types(), "AbortCertificate", abi_value(c));
}

Address SignedCertificate::signer() const {
  const H256 hash = std::visit([&](const auto& c) { return digest(domain, c); }, certificate);
  return crypto::recover(hash, signature);
}

SignedCertificate sign(const Domain& domain, const evm::U256& session_id,
                       const Certificate& certificate, const crypto::PrivateKey& enclave) {
  const H256 hash = std::visit([&](const auto& c) { return digest(domain, c); }, certificate);
  return {domain, session_id, certificate, enclave.sign(hash)};
}

Json to_json(const SignedCertificate& c) {
  return {
      {"format", "ffe.certificate.v1"},
      {"kind", kKinds[c.certificate.index()]},
      {"chainId", c.domain.chain_id},
      {"coordinator", to_hex0x(c.domain.coordinator.bytes)},
      {"sessionId", c.session_id.to_string()},
      {"certificate", std::visit([](const auto& body) { return body_json(body); }, c.certificate)},
      {"signature", to_hex0x(c.signature.bytes)}};
}

SignedCertificate certificate_from_json(const Json& json) {
  Fields f(json, "file");
  SignedCertificate c;
  std::string kind;
  f.expect("format", "ffe.certificate.v1");
  f.get("kind", kind);
  f.get("chainId", c.domain.chain_id);
  f.get("coordinator", c.domain.coordinator);
  f.get("sessionId", c.session_id);
  const Json& body = f.member("certificate");
  f.get("signature", c.signature);
  f.done();
  if (kind == kKinds[0]) {
    c.certificate = rejection_from_json(body);
  } else if (kind == kKinds[1]) {
    c.certificate = result_from_json(body);
  } else if (kind == kKinds[2]) {
    c.certificate = abort_from_json(body);
  } else {
    bad_field("file.kind", "is not rejection, result or abort");
  }
  return c;
}

}  // namespace ffe::session
