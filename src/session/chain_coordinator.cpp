#include <algorithm>
#include <map>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "session/chain.hpp"
#include "session/owner_key.hpp"
#include "session/recipe.hpp"

namespace ffe::session {
namespace {

Uint128 to_uint128(const evm::U256& value) {
  return uint128_from_decimal(value.to_string(), "evidence");
}

[[noreturn]] void corrupt(const evm::U256& id, const std::string& why) {
  throw Error(ErrorCode::kCorrupt, "session " + id.to_string() + ": " + why,
              "the chain's endpoint gives contradictory answers: use another one");
}

uint8_t small(const evm::Value& value, uint64_t max, std::string_view what) {
  uint64_t v = value.as_u64();
  if (v > max) {
    throw Error(ErrorCode::kCorrupt, std::string(what) + " out of range in the contract's answer");
  }
  return static_cast<uint8_t>(v);
}

}  // namespace

Coordinator::Coordinator(evm::RpcClient& rpc, const Address& address, uint64_t from_block)
    : contract_(rpc, address, coordinator_abi()), rpc_(&rpc), from_block_(from_block) {}

Domain Coordinator::domain() const {
  return {rpc_->chain_id(), address()};
}
Address Coordinator::registry() const {
  return contract_.call("registry")[0].as_address();
}
Address Coordinator::inft() const {
  return contract_.call("inft")[0].as_address();
}

OpenedSession Coordinator::opened(const evm::U256& id) const {
  auto logs = contract_.logs("SessionOpened", from_block_, std::nullopt, {evm::Value(id)});
  if (logs.empty()) {
    throw Error(ErrorCode::kSession, "there is no session " + id.to_string(),
                "check the number and the network");
  }
  const evm::Value& e = logs.front().arguments;
  OpenedSession s;
  s.id = id;
  s.opener = e["opener"].as_address();
  s.payee = e["payee"].as_address();
  s.terms = terms_from_value(e["terms"]);
  s.session_tag = e["offer"]["sessionTag"].as_h256();
  s.session_key = e["offer"]["sessionKey"].as_h256();
  s.seed_commitment = e["offer"]["seedCommitment"].as_h256();
  s.session_hash = e["sessionHash"].as_h256();
  s.recipe_text = e["recipeJson"].as_string();
  s.manifest_text = e["manifestJson"].as_string();
  s.block = logs.front().log.block_number;

  uint64_t chain_id = rpc_->chain_id();
  if (session_tag(chain_id, address(), s.opener, s.terms.salt) != s.session_tag) {
    corrupt(id, "its tag is not that of its opener and salt");
  }
  if (session_hash(chain_id, address(), id, terms_hash(s.terms), s.session_key,
                   s.seed_commitment) != s.session_hash) {
    corrupt(id, "its hash is not that of its terms");
  }
  if (text_hash(s.recipe_text) != s.terms.recipe) corrupt(id, "the recipe is not the terms' one");
  if (text_hash(s.manifest_text) != s.terms.base_model) {
    corrupt(id, "the base model's manifest is not the terms' one");
  }
  // A signature by the enclave's signer makes its key certain without trusting the contract.
  Bytes signature(e["offerSignature"].as_bytes().begin(), e["offerSignature"].as_bytes().end());
  H256 digest = session_offer_digest(domain(), s.session_tag, s.session_key, s.seed_commitment,
                                     terms_hash(s.terms));
  Address signer = crypto::recover(digest, crypto::Signature::from(signature));
  if (enclave_id(signer, s.terms.code_hash) != s.terms.enclave_id) {
    corrupt(id, "the offer is not signed by its enclave");
  }
  return s;
}

std::optional<evm::U256> Coordinator::session_of_tag(const H256& tag) const {
  evm::U256 id = contract_.call("sessionOfTag", {tag})[0].as_u256();
  if (id.is_zero()) return std::nullopt;
  return id;
}

uint64_t Coordinator::session_count() const {
  return contract_.call("sessionCount")[0].as_u64();
}

SessionView Coordinator::view(const evm::U256& id, const evm::BlockTag& tag) const {
  evm::Value s = contract_.call("session", {id}, tag)[0];
  SessionView out;
  out.state = static_cast<SessionState>(small(s["state"], 7, "state"));
  out.seal_hash = s["sealHash"].as_h256();
  out.deliver_deadline = s["deliverDeadline"].as_u64();
  out.submitted = small(s["submitted"], 255, "submitted");
  out.slashed = small(s["slashed"], 255, "slashed");
  out.accepted = small(s["accepted"], 255, "accepted");
  return out;
}

ContributionView Coordinator::contribution(const evm::U256& id, const Address& account) const {
  evm::Value c = contract_.call("contribution", {id, account})[0];
  ContributionView out;
  out.participant = c["participant"].as_bool();
  out.order = small(c["order"], 255, "order");
  out.slash_reason = small(c["slashReason"], 255, "slashReason");
  out.claimed = c["claimed"].as_bool();
  out.blob_root = c["blobRoot"].as_h256();
  out.owner_key_hash = c["ownerKeyHash"].as_h256();
  return out;
}

std::vector<Submission> Coordinator::submissions(const OpenedSession& session) const {
  std::map<Address, Bytes> keys;  // the last submission's key stands
  for (const auto& log :
       contract_.logs("Submitted", session.block, std::nullopt, {evm::Value(session.id)})) {
    ByteView key = log.arguments["ownerKey"].as_bytes();
    keys[log.arguments["contributor"].as_address()] = Bytes(key.begin(), key.end());
  }
  std::vector<Submission> out;
  evm::Value order = contract_.call("contributors", {session.id})[0];
  for (const evm::Value& who : order.items()) {
    Submission s;
    s.contributor = who.as_address();
    ContributionView c = contribution(session.id, s.contributor);
    s.blob_root = c.blob_root;
    s.owner_key = keys[s.contributor];
    s.owner_key_hash = c.owner_key_hash;
    if (owner_key_hash(s.owner_key) != s.owner_key_hash) {
      corrupt(session.id, "an owner key is not the committed one");
    }
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<SlashRecord> Coordinator::slashes(const OpenedSession& session) const {
  std::vector<SlashRecord> out;
  for (const auto& log :
       contract_.logs("Slashed", session.block, std::nullopt, {evm::Value(session.id)})) {
    const evm::Value& e = log.arguments;
    out.push_back({e["contributor"].as_address(), small(e["reason"], 255, "reason"),
                   to_uint128(e["evidence"].as_u256()), e["amount"].as_u256(),
                   e["reward"].as_u256(), e["gateRoot"].as_h256(), log.log.tx_hash});
  }
  return out;
}

H256 seal_hash(const H256& session_hash, const std::vector<Submission>& submissions) {
  std::vector<Address> who;
  std::vector<H256> roots, keys;
  for (const Submission& s : submissions) {
    who.push_back(s.contributor);
    roots.push_back(s.blob_root);
    keys.push_back(s.owner_key_hash);
  }
  return seal_hash(session_hash, who, roots, keys);
}

std::optional<FinalRecord> Coordinator::final_record(const OpenedSession& session) const {
  auto logs = contract_.logs("Finalized", session.block, std::nullopt, {evm::Value(session.id)});
  if (logs.empty()) return std::nullopt;
  const evm::Value& e = logs.front().arguments;
  FinalRecord out;
  out.artifact_root = e["artifactRoot"].as_h256();
  out.gate_root = e["gateRoot"].as_h256();
  out.report_root = e["reportRoot"].as_h256();
  out.seed = e["seed"].as_h256();
  out.accepted = e["accepted"].as_u64();
  out.base_loss_micro_nats = static_cast<uint32_t>(e["baseLossMicroNats"].as_u64());
  out.joint_loss_micro_nats = static_cast<uint32_t>(e["jointLossMicroNats"].as_u64());
  out.tx_hash = logs.front().log.tx_hash;
  out.block = logs.front().log.block_number;
  return out;
}

std::optional<AbortRecord> Coordinator::abort_record(const OpenedSession& session) const {
  auto logs = contract_.logs("Aborted", session.block, std::nullopt, {evm::Value(session.id)});
  if (logs.empty()) return std::nullopt;
  const evm::Value& e = logs.front().arguments;
  return AbortRecord{abort_reason_from_number(e["reason"].as_u64()), e["gateRoot"].as_h256(),
                     logs.front().log.tx_hash};
}

std::optional<FailRecord> Coordinator::fail_record(const OpenedSession& session) const {
  auto logs = contract_.logs("Failed", session.block, std::nullopt, {evm::Value(session.id)});
  if (logs.empty()) return std::nullopt;
  const evm::Value& e = logs.front().arguments;
  return FailRecord{e["excused"].as_bool(), e["bondShare"].as_u256(), logs.front().log.tx_hash};
}

std::vector<ContributorVerdict> Coordinator::verdicts(const OpenedSession& session) const {
  std::vector<ContributorVerdict> out;
  for (const auto& log :
       contract_.logs("VerdictGiven", session.block, std::nullopt, {evm::Value(session.id)})) {
    const evm::Value& e = log.arguments;
    ContributorVerdict v;
    v.contributor = e["contributor"].as_address();
    v.blob_root = contribution(session.id, v.contributor).blob_root;
    v.verdict = verdict_from_number(e["verdict"].as_u64());
    v.reason = reason_from_number(e["reason"].as_u64());
    v.evidence = to_uint128(e["evidence"].as_u256());
    out.push_back(v);
  }
  return out;
}

SignedCertificate Coordinator::result_certificate(const OpenedSession& session,
                                                  const FinalRecord& record) const {
  const Json tx = rpc_->raw("eth_getTransactionByHash", {to_hex0x(record.tx_hash.bytes)});
  const auto& finalize = contract_.abi().function("finalize");
  const Json& to = tx.at("to");
  if (!to.is_string() || address_from_hex(to.get<std::string>()) != address()) {
    throw Error(ErrorCode::kUnsupported,
                "a contract brought the result of session " + session.id.to_string() +
                    ", not a plain transaction",
                "ask the enclave's service for its certificates");
  }
  const evm::Value call = finalize.decode_call(from_hex(json_string(tx, "input", "transaction")));
  SignedCertificate out;
  out.domain = domain();
  out.session_id = session.id;
  out.certificate = result_from_value(call["cert"]);
  out.signature = crypto::Signature::from(call["signature"].as_bytes());
  return out;
}

std::vector<evm::U256> Coordinator::sessions_of_enclave(const H256& enclave_id) const {
  std::vector<evm::U256> out;
  for (const auto& log : contract_.logs("SessionOpened", from_block_, std::nullopt,
                                        {std::nullopt, std::nullopt, evm::Value(enclave_id)})) {
    out.push_back(log.arguments["sessionId"].as_u256());
  }
  return out;
}

Coordinator::Claimable Coordinator::claimable(const evm::U256& id, const Address& account) const {
  evm::Value owed = contract_.call("claimable", {id, account});
  return {owed[0].as_u256(), owed[1].as_u256(),
          contract_.call("credit", {account, Address{}})[0].as_u256()};
}

evm::Receipt Coordinator::deposit_bond(evm::Sender& sender, const Address& payee,
                                       const evm::U256& value) {
  return contract_.send(sender, "depositBond", {payee}, value);
}

Coordinator::Bond Coordinator::bond(const Address& payee) const {
  evm::Value b = contract_.call("bond", {payee});
  return {b["total"].as_u256(), b["locked"].as_u256()};
}

evm::Receipt Coordinator::withdraw_bond(evm::Sender& sender, const evm::U256& amount,
                                        const Address& to) {
  return contract_.send(sender, "withdrawBond", {amount, to});
}

bool Coordinator::backs(const Address& payee, const H256& enclave_id) const {
  return contract_.call("backs", {payee, enclave_id})[0].as_bool();
}

evm::Receipt Coordinator::back_enclave(evm::Sender& sender, const H256& enclave_id, bool backed) {
  return contract_.send(sender, "backEnclave", {enclave_id, backed});
}

std::pair<evm::U256, evm::Receipt> Coordinator::open_session(
    evm::Sender& sender, const SessionTerms& terms, const H256& tag,
    const FixedBytes<32>& session_key, const H256& seed_commitment,
    const crypto::Signature& signature, std::string_view recipe_text,
    std::string_view manifest_text) {
  evm::Values offer{tag, session_key, seed_commitment, terms_hash(terms)};
  evm::Receipt receipt = contract_.send(sender, "openSession",
                                        {abi_value(terms), evm::Value(std::move(offer)),
                                         evm::Value(signature), recipe_text, manifest_text},
                                        terms.fee);
  for (const auto& log : contract_.decode(receipt.logs)) {
    if (log.event->name == "SessionOpened") return {log.arguments["sessionId"].as_u256(), receipt};
  }
  throw Error(ErrorCode::kChain, "the coordinator opened no session",
              "is the configured address a coordinator?");
}

evm::Receipt Coordinator::submit(evm::Sender& sender, const evm::U256& id, const H256& blob_root,
                                 ByteView owner_key, const evm::U256& value) {
  return contract_.send(sender, "submit", {id, blob_root, owner_key}, value);
}
evm::Receipt Coordinator::withdraw(evm::Sender& sender, const evm::U256& id) {
  return contract_.send(sender, "withdraw", {id});
}
evm::Receipt Coordinator::seal(evm::Sender& sender, const evm::U256& id) {
  return contract_.send(sender, "seal", {id});
}
evm::Receipt Coordinator::cancel(evm::Sender& sender, const evm::U256& id) {
  return contract_.send(sender, "cancel", {id});
}
evm::Receipt Coordinator::expire(evm::Sender& sender, const evm::U256& id) {
  return contract_.send(sender, "expire", {id});
}
evm::Receipt Coordinator::fail(evm::Sender& sender, const evm::U256& id) {
  return contract_.send(sender, "fail", {id});
}

evm::Receipt Coordinator::bring(evm::Sender& sender, const SignedCertificate& signed_certificate) {
  if (signed_certificate.domain.coordinator != address() ||
      signed_certificate.domain.chain_id != rpc_->chain_id()) {
    throw Error(ErrorCode::kBadInput, "this certificate is for another coordinator or chain",
                "choose the network that the certificate names");
  }
  const evm::U256& id = signed_certificate.session_id;
  evm::Value signature(signed_certificate.signature);
  return std::visit(
      [&](const auto& certificate) {
        using C = std::decay_t<decltype(certificate)>;
        const char* function = std::is_same_v<C, RejectionCertificate> ? "slashWithProof"
                               : std::is_same_v<C, ResultCertificate>  ? "finalize"
                                                                       : "abort";
        return contract_.send(sender, function, {id, abi_value(certificate), signature});
      },
      signed_certificate.certificate);
}

evm::Receipt Coordinator::claim(evm::Sender& sender, const evm::U256& id, const Address& to) {
  return contract_.send(sender, "claim", {id, to});
}

}  // namespace ffe::session
