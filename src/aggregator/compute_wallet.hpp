// The enclave's account at 0G Compute. It is the enclave's and not the operator's, because whoever
// creates a task can open its model; the operator's account only gives it money, and gets it back.
#pragma once

#include "aggregator/config.hpp"
#include "aggregator/enclave.hpp"
#include "compute/chain.hpp"
#include "evm/sender.hpp"

namespace ffe::aggregator {

// Follows from the enclave's signing key, so it lives as long as the enclave.
crypto::PrivateKey compute_wallet_key(const Enclave& enclave);

class ComputeWallet {
 public:
  ComputeWallet(const Config& config, const Enclave& enclave);

  evm::Sender& sender() { return sender_; }
  const compute::Contracts& contracts() const { return contracts_; }

  // Sees to it that `amount` wei are free at the provider and that there is gas, out of the
  // operator's account: what is there is not paid again, also after a crash. Throws Waiting while
  // an earlier payment is on its way, Error{kChain} above the configuration's max_balance.
  void fund(evm::Sender& operator_account, const Address& provider, const evm::U256& amount);
  // Gas for what is left to do.
  void keep_gas(evm::Sender& operator_account);
  // Asks everything back and sends what is unlocked to `payee`; to be repeated until the lock time
  // is over. True if nothing is left.
  bool close(const Address& payee);

 private:
  void top_up(evm::Sender& operator_account, const evm::U256& needed);
  void ask_back(const compute::ServiceView& service);
  evm::U256 gas_reserve();
  evm::U256 held();

  const Config& config_;
  compute::Contracts contracts_;
  evm::RpcClient rpc_;
  evm::Sender sender_;
  compute::LedgerManager ledger_;
  compute::FineTuningServing serving_;
};

}  // namespace ffe::aggregator
