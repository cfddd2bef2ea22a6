#include "aggregator/registration.hpp"

#include "aggregator/onchain_collateral.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "tee/binding.hpp"
#include "tee/evidence.hpp"
#include "tee/quote.hpp"

namespace ffe::aggregator {
namespace {

constexpr std::string_view kScope = "enclave", kKey = "registration";

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

// A fresh quote that binds signer, chain, registry and a recent block.
Registration Registrar::attest(const evm::Block& block) {
  Registration out;
  out.ext = tee::enclave_ext(enclave_.domain().chain_id, registry_.address(), enclave_.signer(),
                             H256{}, block.number, block.hash);
  out.block_number = block.number;
  out.evidence = provider_.quote(tee::report_data(enclave_.signer(), out.ext));
  if (!out.evidence.runtime_data.empty()) {
    throw Error(
        ErrorCode::kUnsupported,
        "the registry takes quotes with report data of our own; this Tapp service hashes a "
        "text instead",
        "mount /sys/kernel/config/tsm/report into the container: quotes then come from there");
  }
  out.code_hash = tee::workload_id(tee::parse_quote(out.evidence.quote));
  out.enclave_id = tee::enclave_id(enclave_.signer(), out.code_hash);
  return out;
}

// The cheap way, while nothing but time has changed since the enclave registered: the quote goes
// without its certificates, which the chain has. False: register again, in full.
bool Registrar::renew(const Registration& fresh, const session::EnclaveRecord& record) {
  if (record.status == session::EnclaveStatus::kUnknown || record.payee != payee_) return false;
  constexpr size_t kLengthSignatureKey = 4 + 64 + 64;
  size_t size = tee::parse_quote(fresh.evidence.quote).signed_region.size() + kLengthSignatureKey;
  try {
    registry_.renew(sender_, ByteView(fresh.evidence.quote).first(size), H256{},
                    fresh.block_number);
    return true;
  } catch (const evm::RevertError& e) {
    log::info("cannot renew, registering again: {}", e.what());
    return false;
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
  std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Registration>(std::move(registration));
  return current_;
}

std::shared_ptr<const Registration> Registrar::current() const {
  std::lock_guard lock(mutex_);
  return current_;
}

std::shared_ptr<const Registration> Registrar::ensure(uint64_t margin_seconds) {
  evm::Block block = sender_.rpc().latest_block();
  if (auto known = current(); known && known->valid_until > block.timestamp + margin_seconds) {
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
  bool renewed = renew(fresh, record);
  if (!renewed) {
    crypto::Signature signature =
        enclave_.key().sign(tee::register_digest(fresh.ext, payee_, fresh.evidence.quote));
    registry_.register_enclave(sender_, fresh.evidence.quote, fresh.ext, payee_, signature);
  }
  // Clients verify the quote that registered, so what came with it stays beside it.
  if (renewed && known) {
    fresh.evidence = known->evidence;
    fresh.ext = known->ext;
  }
  return keep(fresh, registry_.enclave(fresh.enclave_id).valid_until);
}

}  // namespace ffe::aggregator
