// The enclave's evidence and its place in the registry.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>

#include "aggregator/collateral_feed.hpp"
#include "aggregator/enclave.hpp"
#include "session/chain.hpp"
#include "tee/provider.hpp"

namespace ffe::aggregator {

struct Registration {
  H256 enclave_id;
  H256 code_hash;
  tee::Evidence evidence;  // the quote is the newest that the registry knows
  Bytes ext;
  H256 app_hash;  // that ext names: of 0G Tapp's event log; zero where the code hash covers it
  uint64_t valid_until = 0;
  uint64_t block_number = 0;  // that ext names
};

class Registrar {
 public:
  Registrar(Enclave& enclave, Journal& journal, tee::EvidenceProvider& provider,
            CollateralFeed& collateral, session::Registry& registry, evm::Sender& sender,
            const Address& payee);

  // Registers this enclave with a fresh quote unless the registry holds it and it is valid for
  // another `margin_seconds` of the chain's time (this machine's clock belongs to its host); after
  // a restart the quote that registered comes from the journal. Throws Error{kAttestation} if the
  // registry knows it as retired or revoked, kUnsupported for evidence that the registry cannot
  // read.
  std::shared_ptr<const Registration> ensure(uint64_t margin_seconds);

  // Brings what Intel issued since to the chain (lists, levels, certificates), and asks the chain
  // whether it would still accept this machine; a warning says if not. ensure() does so every few
  // hours. Throws Error{kNetwork and others} if the collateral cannot be had or is refused.
  void recheck();

  // What ensure() returned last; null before. For any thread.
  std::shared_ptr<const Registration> current() const;

 private:
  Registration attest(const evm::Block& block);
  Registration quote_over(const evm::Block& block, const H256& app_hash);
  // What an earlier process of this enclave registered; nothing if it was another enclave.
  std::optional<Registration> recall(const Registration& fresh) const;
  std::shared_ptr<const Registration> keep(Registration registration, uint64_t valid_until);
  bool renew(const Registration& fresh, const session::EnclaveRecord& record,
             const std::optional<Registration>& known);
  // Whether the chain has the certificates behind the fresh quote's key already.
  static bool same_key(const Registration& fresh, const std::optional<Registration>& known);
  void register_anew(const Registration& fresh, bool with_certificates);
  void recheck_when_due();

  Enclave& enclave_;
  Journal& journal_;
  tee::EvidenceProvider& provider_;
  CollateralFeed& collateral_;
  session::Registry& registry_;
  evm::Sender& sender_;
  Address payee_;
  H256 app_hash_;  // as the last quote's event log said
  std::chrono::steady_clock::time_point next_check_{};
  mutable std::mutex mutex_;  // of current_
  std::shared_ptr<const Registration> current_;
};

}  // namespace ffe::aggregator
