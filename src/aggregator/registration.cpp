#include "aggregator/registration.hpp"

#include "aggregator/onchain_collateral.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "tee/application.hpp"
#include "tee/binding.hpp"
#include "tee/event_log.hpp"
#include "tee/evidence.hpp"
#include "tee/quote.hpp"

namespace ffe::aggregator {
namespace {

constexpr std::string_view kScope = "enclave", kKey = "registration";
constexpr std::chrono::hours kRecheckEvery{6};

}  // namespace

Registrar::Registrar(Enclave& enclave, Journal& journal, tee::EvidenceProvider& provider,
                     CollateralFeed& collateral, session::Registry& registry, evm::Sender& sender,
                     const Address& payee)
    : enclave_(enclave),
      journal_(journal),
      provider_(provider),
      collateral_(collateral),
      registry_(registry),
      sender_(sender),
      payee_(payee) {}

Registration Registrar::quote_over(const evm::Block& block, const H256& app_hash) {
  Registration out;
  out.app_hash = app_hash;
  out.ext = tee::enclave_ext(enclave_.domain().chain_id, registry_.address(), enclave_.signer(),
                             app_hash, block.number, block.hash);
  out.block_number = block.number;
  out.evidence = provider_.quote(tee::report_data(enclave_.signer(), out.ext));
  return out;
}

// A fresh quote that binds signer, chain, registry and a recent block. 0G Tapp's binds a text of
// its own; there the code is the platform and the application that the event log names.
Registration Registrar::attest(const evm::Block& block) {
  Registration out = quote_over(block, app_hash_);
  tee::TdReport td = tee::parse_quote(out.evidence.quote).td;
  if (out.evidence.runtime_data.empty()) {
    out.code_hash = tee::workload_id(td);
  } else {
    const auto log = tee::parse_event_log(out.evidence.event_log_format, out.evidence.event_log);
    tee::check_replay(log, td);
    const H256 application = tee::application_hash(log);
    if (application != app_hash_) {  // the first time: ext must name it
      app_hash_ = application;
      return attest(block);
    }
    out.code_hash = tee::code_hash(tee::platform_hash(td), application);
  }
  out.enclave_id = tee::enclave_id(enclave_.signer(), out.code_hash);
  return out;
}

bool Registrar::same_key(const Registration& fresh, const std::optional<Registration>& known) {
  return known && tee::parse_quote(known->evidence.quote).attestation_key ==
                      tee::parse_quote(fresh.evidence.quote).attestation_key;
}

// The cheap way, while nothing but time has changed since the enclave registered: the quote goes
// without its certificates, which the chain has, for the same key. False: register again, in full.
bool Registrar::renew(const Registration& fresh, const session::EnclaveRecord& record,
                      const std::optional<Registration>& known) {
  if (record.status == session::EnclaveStatus::kUnknown || record.payee != payee_ ||
      !same_key(fresh, known) || !fresh.evidence.runtime_data.empty()) {
    return false;
  }
  try {
    registry_.renew(sender_, tee::cut_quote(fresh.evidence.quote), fresh.app_hash,
                    fresh.block_number);
    return true;
  } catch (const evm::RevertError& e) {
    log::info("cannot renew, registering again: {}", e.what());
    return false;
  }
}

void Registrar::register_anew(const Registration& fresh, bool with_certificates) {
  const tee::Evidence& evidence = fresh.evidence;
  const ByteView quote =
      with_certificates ? ByteView(evidence.quote) : tee::cut_quote(evidence.quote);
  const crypto::Signature consent =
      enclave_.key().sign(tee::register_digest(fresh.ext, payee_, quote));
  if (evidence.runtime_data.empty()) {
    registry_.register_enclave(sender_, quote, fresh.ext, payee_, consent);
  } else {
    registry_.register_tapp(sender_, quote, fresh.ext, evidence.runtime_data, payee_, consent);
  }
}

std::optional<Registration> Registrar::recall(const Registration& fresh) const {
  auto saved = journal_.get(kScope, kKey);
  if (!saved) return std::nullopt;
  const Json j = parse_json(as_text(*saved), "journal");
  if (json_string(j, "enclaveId", "journal") != to_hex0x(fresh.enclave_id.bytes)) {
    return std::nullopt;
  }
  Registration out = fresh;
  out.evidence = tee::evidence_from_json(j);
  out.evidence.simulated = fresh.evidence.simulated;
  out.ext = from_hex(json_string(j, "ext", "journal"));
  return out;
}

std::shared_ptr<const Registration> Registrar::keep(Registration registration,
                                                    uint64_t valid_until) {
  registration.valid_until = valid_until;
  Json j = tee::to_json(registration.evidence);
  j["enclaveId"] = to_hex0x(registration.enclave_id.bytes);
  j["ext"] = to_hex0x(registration.ext);
  journal_.set(kScope, kKey, as_bytes(j.dump()));
  next_check_ = std::chrono::steady_clock::now() + kRecheckEvery;
  std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Registration>(std::move(registration));
  return current_;
}

std::shared_ptr<const Registration> Registrar::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

void Registrar::recheck() {
  const auto known = current();
  if (!known) return;
  const tee::Quote quote = tee::parse_quote(known->evidence.quote);
  OnchainCollateral chain(sender_.rpc(), registry_.dcap_verifier());
  chain.ensure(sender_, quote, collateral_.get(quote));
  if (auto refusal = chain.refusal(known->evidence.quote)) {
    log::warn(
        "the chain would refuse this machine now ({}): update its firmware and TDX module; until "
        "then it cannot renew, and anyone may revoke it",
        *refusal);
  }
}

// Not at each tick: a service asks its own endpoint and Intel's no more often than this.
void Registrar::recheck_when_due() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_check_) return;
  next_check_ = now + kRecheckEvery;
  try {
    recheck();
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInterrupted) throw;
    log::warn("collateral on chain was not brought up to date: {}", e.what());
  }
}

std::shared_ptr<const Registration> Registrar::ensure(uint64_t margin_seconds) {
  evm::Block block = sender_.rpc().latest_block();
  if (auto known = current(); known && known->valid_until > block.timestamp + margin_seconds) {
    recheck_when_due();
    return known;
  }
  Registration fresh = attest(block);
  session::EnclaveRecord record = registry_.enclave(fresh.enclave_id);
  if (record.status == session::EnclaveStatus::kRetired ||
      record.status == session::EnclaveStatus::kRevoked) {
    throw Error(ErrorCode::kAttestation,
                "this enclave is " + std::string(session::name(record.status)) +
                    " in the registry: it cannot come back",
                "start with a new data folder: a new signer is a new enclave");
  }
  const std::optional<Registration> known = recall(fresh);
  if (known && record.status == session::EnclaveStatus::kActive && record.payee == payee_ &&
      record.valid_until > block.timestamp + margin_seconds) {
    return keep(*known, record.valid_until);
  }
  log::info("registering enclave {}", to_hex0x(fresh.enclave_id.bytes));
  tee::Quote quote = tee::parse_quote(fresh.evidence.quote);
  OnchainCollateral(sender_.rpc(), registry_.dcap_verifier())
      .ensure(sender_, quote, collateral_.get(quote));
  // The collateral may have taken more blocks than a nonce lives, or the chain may be young.
  fresh = attest(sender_.rpc().latest_block());
  if (!renew(fresh, record, known)) {
    // 0G Tapp's evidence has no cheaper way than this, but its certificates are there as well.
    const bool again = record.status != session::EnclaveStatus::kUnknown &&
                       !fresh.evidence.runtime_data.empty() && same_key(fresh, known);
    register_anew(fresh, !again);
  }
  return keep(fresh, registry_.enclave(fresh.enclave_id).valid_until);
}

}  // namespace ffe::aggregator
