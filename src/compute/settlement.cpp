#include "compute/settlement.hpp"

#include "evm/eip712.hpp"

namespace ffe::compute {

H256 settlement_domain(uint64_t chain_id, const Address& contract) {
  return evm::domain_separator("0G Fine-Tuning Serving", "1", chain_id, contract);
}

H256 settlement_hash(const Settlement& s) {
  return evm::hash_struct(
      "VerifierMessage(string id,bytes encryptedSecret,bytes modelRootHash,uint256 nonce,"
      "uint256 taskFee,address user)",
      {s.id, s.encrypted_secret, s.model_root_hash, s.nonce, s.task_fee, s.user});
}

H256 settlement_digest(uint64_t chain_id, const Address& contract, const Settlement& settlement) {
  return evm::typed_data_digest(settlement_domain(chain_id, contract), settlement_hash(settlement));
}

}  // namespace ffe::compute
