// 0G Compute's contracts on a local network.
#pragma once

#include "compute/chain.hpp"

namespace ffe::compute {

struct LocalTerms {
  evm::U256 min_account_balance = evm::parse_ether("3");  // as on 0G's main network
  evm::U256 min_transfer_amount = evm::parse_ether("1");
  uint64_t lock_time = 86'400;  // seconds
  uint64_t penalty_percentage = 30;
  bool relaxed = false;  // a forced settlement does not block the next delivery
};

// Deploys both, made ready under `owner` (who then acknowledges providers' signers). The artifacts
// are a compiler's, with "bytecode".
Contracts deploy_contracts(evm::Sender& owner, const Json& ledger_artifact,
                           const Json& fine_tuning_artifact, const LocalTerms& terms = {});

// The inference contract beside them, registered with the same ledger.
Address deploy_inference(evm::Sender& owner, const Json& inference_artifact, const Address& ledger,
                         uint64_t lock_time = LocalTerms{}.lock_time);

}  // namespace ffe::compute
