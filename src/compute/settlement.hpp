// The statement with which a provider's enclave settles a task: EIP-712, checked by the contract
// FineTuningServing.
#pragma once

#include "crypto/secp256k1.hpp"
#include "evm/u256.hpp"

namespace ffe::compute {

struct Settlement {
  std::string id;          // the task's UUID as text
  Bytes encrypted_secret;  // empty when the user never acknowledged
  Bytes model_root_hash;
  evm::U256 nonce;
  evm::U256 task_fee;  // wei
  Address user;
};

H256 settlement_domain(uint64_t chain_id, const Address& contract);
H256 settlement_hash(const Settlement& settlement);
H256 settlement_digest(uint64_t chain_id, const Address& contract, const Settlement& settlement);

}  // namespace ffe::compute
