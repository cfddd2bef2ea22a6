#include "aggregator/registration.hpp"

#include <ctime>

#include "aggregator/onchain_collateral.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "tee/binding.hpp"
#include "tee/quote.hpp"

namespace ffe::aggregator {

Registrar::Registrar(Enclave& enclave, tee::EvidenceProvider& provider, session::Registry& registry,
                     evm::Sender& sender, const Address& payee)
    : enclave_(enclave), provider_(provider), registry_(registry), sender_(sender), payee_(payee) {}

// A fresh quote that binds signer, chain, registry and a recent block.
Registration Registrar::attest() {
  evm::Block block = sender_.rpc().latest_block();
  Registration out;
  out.ext = tee::enclave_ext(enclave_.domain().chain_id, registry_.address(), enclave_.signer(),
                             H256{}, block.number, block.hash);
  out.block_number = block.number;
  tee::Evidence evidence = provider_.quote(tee::report_data(enclave_.signer(), out.ext));
  out.quote = std::move(evidence.quote);
  out.simulated = evidence.simulated;
  out.code_hash = tee::workload_id(tee::parse_quote(out.quote));
  out.enclave_id = tee::enclave_id(enclave_.signer(), out.code_hash);
  return out;
}

// The cheap way, while nothing but time has changed since the enclave registered: the quote goes
// without its certificates, which the chain has. False: register again, in full.
bool Registrar::renew(const Registration& fresh, const session::EnclaveRecord& record) {
  if (record.status == session::EnclaveStatus::kUnknown || record.payee != payee_) return false;
  constexpr size_t kLengthSignatureKey = 4 + 64 + 64;
  size_t size = tee::parse_quote(fresh.quote).signed_region.size() + kLengthSignatureKey;
  try {
    registry_.renew(sender_, ByteView(fresh.quote).first(size), H256{}, fresh.block_number);
    return true;
  } catch (const evm::RevertError& e) {
    log::info("cannot renew, registering again: {}", e.what());
    return false;
  }
}

Registration Registrar::ensure(uint64_t margin_seconds) {
  if (current_.valid_until > static_cast<uint64_t>(std::time(nullptr)) + margin_seconds) {
    return current_;
  }
  Registration fresh = attest();
  session::EnclaveRecord record = registry_.enclave(fresh.enclave_id);
  if (record.status == session::EnclaveStatus::kRetired ||
      record.status == session::EnclaveStatus::kRevoked) {
    throw Error(ErrorCode::kAttestation,
                "this enclave is " + std::string(session::name(record.status)) +
                    " in the registry: it cannot come back",
                "start with a new data folder: a new signer is a new enclave");
  }
  log::info("registering enclave {}", to_hex0x(fresh.enclave_id.bytes));
  OnchainCollateral(sender_.rpc(), registry_.dcap_verifier())
      .ensure(sender_, tee::parse_quote(fresh.quote), provider_.collateral());
  // The collateral may have taken more blocks than a nonce lives, or the chain may be young.
  fresh = attest();
  if (!renew(fresh, record)) {
    crypto::Signature signature =
        enclave_.key().sign(tee::register_digest(fresh.ext, payee_, fresh.quote));
    registry_.register_enclave(sender_, fresh.quote, fresh.ext, payee_, signature);
  }
  fresh.valid_until = registry_.enclave(fresh.enclave_id).valid_until;
  current_ = fresh;
  return current_;
}

}  // namespace ffe::aggregator
