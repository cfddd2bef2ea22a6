// 0G Compute's contracts as C++ sees them: the ledger, and the fine-tuning service with its
// sub-accounts and deliverables.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute/settlement.hpp"
#include "evm/contract.hpp"

namespace ffe::compute {

// The interfaces, compiled in from contracts/abi.
std::shared_ptr<const evm::ContractAbi> ledger_abi();
std::shared_ptr<const evm::ContractAbi> fine_tuning_abi();
// Options of an RpcClient that knows their errors.
evm::RpcClient::Options rpc_options();
// What to do about an error of this name; empty if nothing is known.
std::string revert_hint(std::string_view error_name);

// Where they are. 0G has them on its two networks; another chain's come from its network file.
struct Contracts {
  Address ledger;
  Address fine_tuning;
};
// "galileo" or "aristotle"; nothing for other names.
std::optional<Contracts> known_contracts(std::string_view network);

struct LedgerView {
  evm::U256 available;  // wei; not in any sub-account
  evm::U256 total;
};

// A user's money at 0G Compute. Amounts are wei; writes throw RevertError with the contract's
// error.
class LedgerManager {
 public:
  LedgerManager(evm::RpcClient& rpc, const Address& address)
      : contract_(rpc, address, ledger_abi()) {}

  const Address& address() const { return contract_.address(); }
  // Of a new ledger, and of a new sub-account: networks differ, so they are asked.
  evm::U256 min_account_balance() const;
  evm::U256 min_transfer_amount() const;
  std::optional<LedgerView> ledger(const Address& user) const;
  // "fine-tuning-v1.0": what transfers name a service by.
  std::string service_name(const Address& service) const;

  // Opens the ledger where there is none.
  evm::Receipt deposit(evm::Sender& user, const evm::U256& value);
  evm::Receipt transfer(evm::Sender& user, const Address& provider, const std::string& service_name,
                        const evm::U256& amount);
  // Takes back what is unlocked, asks for the rest of what is free.
  evm::Receipt retrieve(evm::Sender& user, const std::vector<Address>& providers,
                        const std::string& service_name);
  evm::Receipt refund(evm::Sender& user, const evm::U256& amount);

  // For local networks.
  evm::Receipt initialize(evm::Sender& owner);
  evm::Receipt register_service(evm::Sender& owner, const std::string& type,
                                const std::string& version, const Address& service);

 private:
  evm::Contract contract_;
};

struct ServiceView {
  Address provider;
  std::string url;
  evm::U256 price_per_token;  // wei
  bool occupied = false;
  std::vector<std::string> models;  // customized ones only
  Address tee_signer;
  bool tee_signer_acknowledged = false;  // by 0G; nobody should use the service otherwise
};

struct DeliverableView {
  std::string id;
  Bytes model_root_hash;
  Bytes encrypted_secret;  // empty until settled after an acknowledgement
  bool acknowledged = false;
  bool settled = false;
  uint64_t timestamp = 0;  // Unix seconds, of the delivery
};

struct AccountView {
  evm::U256 nonce;  // of the last settled task
  evm::U256 balance;
  evm::U256 pending_refund;
  bool acknowledged = false;
  std::vector<DeliverableView> deliverables;  // oldest first

  evm::U256 free() const { return balance - pending_refund; }
};

// What a provider offers.
struct ServiceOffer {
  std::string url;
  evm::U256 price_per_token;
  std::vector<std::string> models;
  Address tee_signer;
};

class FineTuningServing {
 public:
  FineTuningServing(evm::RpcClient& rpc, const Address& address)
      : contract_(rpc, address, fine_tuning_abi()), rpc_(&rpc) {}

  const Address& address() const { return contract_.address(); }
  uint64_t lock_time() const;  // seconds
  uint64_t penalty_percentage() const;
  std::vector<ServiceView> services() const;
  std::optional<ServiceView> service(const Address& provider) const;
  std::optional<AccountView> account(const Address& user, const Address& provider) const;
  std::optional<DeliverableView> deliverable(const Address& user, const Address& provider,
                                             const std::string& id) const;

  evm::Receipt acknowledge_deliverable(evm::Sender& user, const Address& provider,
                                       const std::string& id);
  evm::Receipt acknowledge_signer(evm::Sender& user, const Address& provider, bool acknowledged);

  // A provider's calls. The first offer stakes `stake` (100 0G on the networks), later ones
  // nothing.
  evm::Receipt offer(evm::Sender& provider, const ServiceOffer& offer, const evm::U256& stake);
  evm::Receipt add_deliverable(evm::Sender& provider, const Address& user, const std::string& id,
                               ByteView model_root_hash);
  evm::Receipt settle(evm::Sender& provider, const Settlement& settlement,
                      const crypto::Signature& signature);

  // The owner's, on local networks.
  evm::Receipt initialize(evm::Sender& owner, uint64_t lock_time, const Address& ledger,
                          uint64_t penalty_percentage);
  evm::Receipt acknowledge_signer_by_owner(evm::Sender& owner, const Address& provider);
  evm::Receipt revoke_signer_by_owner(evm::Sender& owner, const Address& provider);

 private:
  evm::Contract contract_;
  evm::RpcClient* rpc_;
};

}  // namespace ffe::compute
