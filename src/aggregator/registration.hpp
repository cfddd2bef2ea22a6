// The enclave's evidence and its place in the registry.
#pragma once

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
  tee::Evidence evidence;  // the quote is the registered one
  Bytes ext;
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

  // What ensure() returned last; null before. For any thread.
  std::shared_ptr<const Registration> current() const;

 private:
  Registration attest(const evm::Block& block);
  // What an earlier process of this enclave registered; nothing if it was another enclave.
  std::optional<Registration> recall(const Registration& fresh) const;
  std::shared_ptr<const Registration> keep(Registration registration, uint64_t valid_until);
  bool renew(const Registration& fresh, const session::EnclaveRecord& record);

  Enclave& enclave_;
  Journal& journal_;
  tee::EvidenceProvider& provider_;
  CollateralFeed& collateral_;
  session::Registry& registry_;
  evm::Sender& sender_;
  Address payee_;
  mutable std::mutex mutex_;  // of current_
  std::shared_ptr<const Registration> current_;
};

}  // namespace ffe::aggregator
