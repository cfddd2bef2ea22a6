#include "compute/chain.hpp"

#include <map>

#include "compute/contract_answers.hpp"
#include "compute/inference_chain.hpp"
#include "crypto/address.hpp"

namespace ffe::compute {

// Compiled in from contracts/abi (CMake: ffe_embed).
extern const std::string_view kLedgerAbiJson;
extern const std::string_view kFineTuningAbiJson;

namespace {

Bytes bytes_of(const evm::Value& value) {
  ByteView view = value.as_bytes();
  return {view.begin(), view.end()};
}

ServiceView service_from(const evm::Value& v) {
  ServiceView s;
  s.provider = v["provider"].as_address();
  s.url = v["url"].as_string();
  s.price_per_token = v["pricePerToken"].as_u256();
  s.occupied = v["occupied"].as_bool();
  for (const evm::Value& model : v["models"].items()) s.models.push_back(model.as_string());
  s.tee_signer = v["teeSignerAddress"].as_address();
  s.tee_signer_acknowledged = v["teeSignerAcknowledged"].as_bool();
  return s;
}

DeliverableView deliverable_from(const evm::Value& v) {
  DeliverableView d;
  d.id = v["id"].as_string();
  d.model_root_hash = bytes_of(v["modelRootHash"]);
  d.encrypted_secret = bytes_of(v["encryptedSecret"]);
  d.acknowledged = v["acknowledged"].as_bool();
  d.settled = v["settled"].as_bool();
  d.timestamp = v["timestamp"].as_u64();
  return d;
}

AccountView account_from(const evm::Value& v) {
  AccountView a;
  a.nonce = v["nonce"].as_u256();
  a.balance = v["balance"].as_u256();
  a.pending_refund = v["pendingRefund"].as_u256();
  a.acknowledged = v["acknowledged"].as_bool();
  check_refund(a.pending_refund, a.balance);
  // A ring: where it is full, the oldest lies at its head.
  const evm::Values& ring = v["deliverables"].items();
  uint64_t head = v["deliverablesHead"].as_u64();
  for (size_t i = 0; i < ring.size(); ++i) {
    a.deliverables.push_back(deliverable_from(ring[(head % ring.size() + i) % ring.size()]));
  }
  return a;
}

}  // namespace

std::shared_ptr<const evm::ContractAbi> ledger_abi() {
  static const auto abi = evm::load_abi(kLedgerAbiJson, "LedgerManager");
  return abi;
}

std::shared_ptr<const evm::ContractAbi> fine_tuning_abi() {
  static const auto abi = evm::load_abi(kFineTuningAbiJson, "FineTuningServing");
  return abi;
}

evm::RpcClient::Options rpc_options() {
  static const auto errors = [] {
    auto all = std::make_shared<evm::AbiRegistry>();
    all->add(*fine_tuning_abi());
    all->add(*ledger_abi());
    all->add(*inference_abi());
    return std::shared_ptr<const evm::AbiRegistry>(std::move(all));
  }();
  evm::RpcClient::Options options;
  options.errors = errors;
  return options;
}

std::string revert_hint(std::string_view error_name) {
  static const std::map<std::string_view, std::string_view> kHints = {
      {"LedgerNotExists", "open one first: ffe compute fund"},
      {"MinimumDepositRequired", "send at least the amount that the error names"},
      {"InsufficientAvailableBalance", "deposit more first: ffe compute fund"},
      {"AccountNotExists", "give the provider a sub-account first: ffe compute fund"},
      {"ServiceNotExist", "look at the providers: ffe compute providers"},
      {"DeliverableNotExists", "the provider has not delivered this task yet"},
      {"CannotAcknowledgeSettledDeliverable",
       "it is settled: acknowledged before, or too late, and then the provider took its penalty"},
      {"TooManyRefunds", "take back what is unlocked first, or wait for the lock time to pass"},
      {"CallFailed", "the fine-tuning contract refused the transfer: check the provider's address"},
  };
  auto it = kHints.find(error_name);
  return it == kHints.end() ? std::string() : std::string(it->second);
}

std::optional<Contracts> known_contracts(std::string_view network) {
  auto pair = [](std::string_view ledger, std::string_view fine_tuning) {
    return Contracts{crypto::parse_address(ledger), crypto::parse_address(fine_tuning)};
  };
  if (network == "galileo") {
    return pair("0xE70830508dAc0A97e6c087c75f402f9Be669E406",
                "0xC6C075D8039763C8f1EbE580be5ADdf2fd6941bA");
  }
  if (network == "aristotle") {
    return pair("0x2dE54c845Cd948B72D2e32e39586fe89607074E3",
                "0x4e3474095518883744ddf135b7E0A23301c7F9c0");
  }
  return std::nullopt;
}

evm::U256 LedgerManager::min_account_balance() const {
  return contract_.call("MIN_ACCOUNT_BALANCE")[0].as_u256();
}
evm::U256 LedgerManager::min_transfer_amount() const {
  return contract_.call("MIN_TRANSFER_AMOUNT")[0].as_u256();
}

std::optional<LedgerView> LedgerManager::ledger(const Address& user) const {
  return unless({"LedgerNotExists"}, [&] {
    evm::Value v = contract_.call("getLedger", {user})[0];
    return LedgerView{v["availableBalance"].as_u256(), v["totalBalance"].as_u256()};
  });
}

std::string LedgerManager::service_name(const Address& service) const {
  return contract_.call("getServiceInfo", {service})[0]["fullName"].as_string();
}

evm::Receipt LedgerManager::deposit(evm::Sender& user, const evm::U256& value) {
  return contract_.send(user, "depositFund", {}, value);
}

evm::Receipt LedgerManager::transfer(evm::Sender& user, const Address& provider,
                                     const std::string& service_name, const evm::U256& amount) {
  return contract_.send(user, "transferFund", {provider, service_name, amount});
}

evm::Receipt LedgerManager::retrieve(evm::Sender& user, const std::vector<Address>& providers,
                                     const std::string& service_name) {
  return contract_.send(user, "retrieveFund", {providers, service_name});
}

evm::Receipt LedgerManager::refund(evm::Sender& user, const evm::U256& amount) {
  return contract_.send(user, "refund", {amount});
}

evm::Receipt LedgerManager::initialize(evm::Sender& owner) {
  return contract_.send(owner, "initialize", {owner.address()});
}

evm::Receipt LedgerManager::register_service(evm::Sender& owner, const std::string& type,
                                             const std::string& version, const Address& service) {
  return contract_.send(owner, "registerService", {type, version, service, "local network"});
}

uint64_t FineTuningServing::lock_time() const {
  return contract_.call("lockTime")[0].as_u64();
}
uint64_t FineTuningServing::penalty_percentage() const {
  return contract_.call("penaltyPercentage")[0].as_u64();
}

std::vector<ServiceView> FineTuningServing::services() const {
  std::vector<ServiceView> out;
  evm::Value result = contract_.call("getAllServices");
  for (const evm::Value& v : result[0].items()) out.push_back(service_from(v));
  return out;
}

std::optional<ServiceView> FineTuningServing::service(const Address& provider) const {
  return unless({"ServiceNotExist"},
                [&] { return service_from(contract_.call("getService", {provider})[0]); });
}

std::optional<AccountView> FineTuningServing::account(const Address& user,
                                                      const Address& provider) const {
  return unless({"AccountNotExists"}, [&] {
    return account_from(contract_.call("getAccount", {user, provider})[0]);
  });
}

std::optional<DeliverableView> FineTuningServing::deliverable(const Address& user,
                                                              const Address& provider,
                                                              const std::string& id) const {
  return unless({"AccountNotExists", "DeliverableNotExists"}, [&] {
    return deliverable_from(contract_.call("getDeliverable", {user, provider, id})[0]);
  });
}

evm::Receipt FineTuningServing::acknowledge_deliverable(evm::Sender& user, const Address& provider,
                                                        const std::string& id) {
  return contract_.send(user, "acknowledgeDeliverable", {provider, id});
}

evm::Receipt FineTuningServing::acknowledge_signer(evm::Sender& user, const Address& provider,
                                                   bool acknowledged) {
  return contract_.send(user, "acknowledgeTEESigner", {provider, acknowledged});
}

evm::Receipt FineTuningServing::offer(evm::Sender& provider, const ServiceOffer& o,
                                      const evm::U256& stake) {
  evm::Value quota = evm::list({1, 1, 0, 1, "none"});
  evm::Values models(o.models.begin(), o.models.end());
  return contract_.send(
      provider, "addOrUpdateService",
      {o.url, quota, o.price_per_token, false, evm::list(std::move(models)), o.tee_signer}, stake);
}

evm::Receipt FineTuningServing::add_deliverable(evm::Sender& provider, const Address& user,
                                                const std::string& id, ByteView model_root_hash) {
  return contract_.send(provider, "addDeliverable", {user, id, model_root_hash});
}

evm::Receipt FineTuningServing::settle(evm::Sender& provider, const Settlement& s,
                                       const crypto::Signature& signature) {
  return contract_.send(
      provider, "settleFees",
      {evm::list({s.id, s.encrypted_secret, s.model_root_hash, s.nonce,
                  Bytes(signature.begin(), signature.end()), s.task_fee, s.user})});
}

evm::Receipt FineTuningServing::initialize(evm::Sender& owner, uint64_t lock_time,
                                           const Address& ledger, uint64_t penalty_percentage) {
  return contract_.send(owner, "initialize",
                        {lock_time, ledger, owner.address(), penalty_percentage});
}

evm::Receipt FineTuningServing::acknowledge_signer_by_owner(evm::Sender& owner,
                                                            const Address& provider) {
  return contract_.send(owner, "acknowledgeTEESignerByOwner", {provider});
}

evm::Receipt FineTuningServing::revoke_signer_by_owner(evm::Sender& owner,
                                                       const Address& provider) {
  return contract_.send(owner, "revokeTEESignerAcknowledgement", {provider});
}

}  // namespace ffe::compute
