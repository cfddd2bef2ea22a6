#include "compute/local_network.hpp"

#include "compute/inference_chain.hpp"
#include "evm/contract_abi.hpp"

namespace ffe::compute {

Contracts deploy_contracts(evm::Sender& owner, const Json& ledger_artifact,
                           const Json& fine_tuning_artifact, const LocalTerms& terms) {
  Contracts out;
  out.ledger = *owner
                    .deploy(evm::creation_code(
                        ledger_artifact, {terms.min_account_balance, terms.min_transfer_amount},
                        "LedgerManager"))
                    .contract_address;
  out.fine_tuning =
      *owner.deploy(evm::creation_code(fine_tuning_artifact, {terms.relaxed}, "FineTuningServing"))
           .contract_address;
  LedgerManager ledger(owner.rpc(), out.ledger);
  ledger.initialize(owner);
  FineTuningServing(owner.rpc(), out.fine_tuning)
      .initialize(owner, terms.lock_time, out.ledger, terms.penalty_percentage);
  ledger.register_service(owner, "fine-tuning", "v1.0", out.fine_tuning);
  return out;
}

Address deploy_inference(evm::Sender& owner, const Json& inference_artifact, const Address& ledger,
                         uint64_t lock_time) {
  const Address out = *owner.deploy(evm::creation_code(inference_artifact, {}, "InferenceServing"))
                           .contract_address;
  InferenceServing(owner.rpc(), out).initialize(owner, lock_time, ledger);
  LedgerManager(owner.rpc(), ledger).register_service(owner, "inference", "v1.0", out);
  return out;
}

}  // namespace ffe::compute
