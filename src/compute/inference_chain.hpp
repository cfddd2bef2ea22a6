// 0G Compute's inference contract as C++ sees it: services, the user's sub-account at one, and what
// makes session tokens void.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evm/contract.hpp"

namespace ffe::compute {

std::shared_ptr<const evm::ContractAbi> inference_abi();
// Where it is on 0G's networks: "galileo" or "aristotle"; nothing for other names.
std::optional<Address> known_inference(std::string_view network);

struct InferenceServiceView {
  Address provider;
  std::string type;  // "chatbot", …
  std::string url;
  evm::U256 input_price;  // wei a token
  evm::U256 output_price;
  std::string model;
  std::string verifiability;    // "TeeML": the model runs in the TEE; "TeeTLS": it is asked from it
  std::string additional_info;  // JSON
  Address tee_signer;
  bool tee_signer_acknowledged = false;  // by 0G; nobody should use the service otherwise

  // Who signs answers: where the model runs in a TEE of its own beside the broker's, that one.
  // Throws Error{kBadInput} for additional information that is no JSON object.
  Address answer_signer() const;
};

struct InferenceAccountView {
  evm::U256 balance;
  evm::U256 pending_refund;
  bool acknowledged = false;
  uint64_t generation = 0;  // session tokens of older ones are void
  evm::U256 revoked;        // bit n: API key n is void

  evm::U256 free() const { return balance - pending_refund; }
  bool revokes(uint8_t token_id) const;
};

struct InferenceOffer {
  std::string url;
  std::string model;
  evm::U256 input_price;
  evm::U256 output_price;
  std::string additional_info;
  Address tee_signer;
};

class InferenceServing {
 public:
  InferenceServing(evm::RpcClient& rpc, const Address& address)
      : contract_(rpc, address, inference_abi()) {}

  const Address& address() const { return contract_.address(); }
  std::vector<InferenceServiceView> services() const;
  std::optional<InferenceServiceView> service(const Address& provider) const;
  std::optional<InferenceAccountView> account(const Address& user, const Address& provider) const;
  uint64_t lock_time() const;  // seconds that money asked back is locked
  // All of the user's tokens at the provider are void from now on.
  evm::Receipt revoke_all_tokens(evm::Sender& user, const Address& provider);

  // A provider's; the first offer stakes `stake` (100 0G on the networks), later ones nothing.
  evm::Receipt offer(evm::Sender& provider, const InferenceOffer& offer, const evm::U256& stake);
  // The owner's, on local networks.
  evm::Receipt initialize(evm::Sender& owner, uint64_t lock_time, const Address& ledger);
  evm::Receipt acknowledge_signer_by_owner(evm::Sender& owner, const Address& provider);

 private:
  evm::Contract contract_;
};

}  // namespace ffe::compute
