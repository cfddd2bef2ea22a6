#include "aggregator/compute_wallet.hpp"

#include "aggregator/job_context.hpp"
#include "base/log.hpp"
#include "compute/funding.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"

namespace ffe::aggregator {
namespace {

// Deposit, transfer and acknowledgement took 270 000 gas on 0G's test network.
constexpr uint64_t kGas = 1'000'000;

evm::SenderOptions sender_options(const Config& config) {
  evm::SenderOptions options;
  options.wait.confirmations = config.confirmations;
  return options;
}

// A transaction that a crash left behind must be mined before anything is planned: what it pays
// would be paid twice.
void require_none_on_the_way(evm::RpcClient& rpc, const Address& account) {
  if (rpc.transaction_count(account, "pending") == rpc.transaction_count(account)) return;
  throw Waiting("a payment of " + crypto::checksum_address(account) + " is on its way",
                std::chrono::seconds(2));
}

}  // namespace

crypto::PrivateKey compute_wallet_key(const Enclave& enclave) {
  return crypto::PrivateKey::from(
      crypto::hkdf_sha256(enclave.key().secret(), {}, as_bytes("ffe/compute-wallet/v1"), 32)
          .view());
}

ComputeWallet::ComputeWallet(const Config& config, const Enclave& enclave)
    : config_(config),
      contracts_{config.compute.ledger, config.compute.fine_tuning},
      rpc_(config.rpc_url, compute::rpc_options()),
      sender_(rpc_, compute_wallet_key(enclave), sender_options(config)),
      ledger_(rpc_, contracts_.ledger),
      serving_(rpc_, contracts_.fine_tuning) {}

evm::U256 ComputeWallet::gas_reserve() {
  return rpc_.gas_price() * evm::U256(2 * kGas);
}

evm::U256 ComputeWallet::held() {
  std::optional<compute::LedgerView> ledger = ledger_.ledger(sender_.address());
  return rpc_.balance(sender_.address()) + (ledger ? ledger->total : evm::U256());
}

// Half a reserve is enough to go on with; a top-up fills it.
void ComputeWallet::top_up(evm::Sender& operator_account, const evm::U256& needed) {
  const evm::U256 reserve = gas_reserve(), balance = rpc_.balance(sender_.address());
  if (balance >= needed + reserve / evm::U256(2)) return;
  const evm::U256 missing = needed + reserve - balance;
  if (held() + missing > config_.compute.max_balance) {
    throw Error(ErrorCode::kChain,
                "training at 0G Compute needs " + evm::format_ether(missing) +
                    " 0G more than the enclave's account has, which is above the operator's "
                    "compute.max_balance",
                "the operator can raise it");
  }
  require_none_on_the_way(rpc_, operator_account.address());
  log::info("{} 0G for the enclave's account at 0G Compute, {}", evm::format_ether(missing),
            crypto::checksum_address(sender_.address()));
  operator_account.send(sender_.address(), {}, missing);
}

void ComputeWallet::keep_gas(evm::Sender& operator_account) {
  top_up(operator_account, evm::U256());
}

void ComputeWallet::fund(evm::Sender& operator_account, const Address& provider,
                         const evm::U256& amount) {
  require_none_on_the_way(rpc_, sender_.address());
  compute::FundingPlan plan =
      compute::plan_funding(ledger_, serving_, sender_.address(), provider, amount);
  top_up(operator_account, plan.deposit);
  compute::carry_out(plan, ledger_, serving_, sender_, provider);
}

void ComputeWallet::ask_back(const compute::ServiceView& service) {
  auto account = serving_.account(sender_.address(), service.provider);
  if (!account || account->balance.is_zero()) return;
  ledger_.retrieve(sender_, {service.provider}, ledger_.service_name(contracts_.fine_tuning));
}

bool ComputeWallet::close(const Address& payee) {
  if (held().is_zero()) return true;
  require_none_on_the_way(rpc_, sender_.address());
  for (const compute::ServiceView& service : serving_.services()) ask_back(service);
  const evm::U256 amount = compute::withdrawable(ledger_, sender_.address());
  if (!amount.is_zero()) ledger_.refund(sender_, amount);
  const auto ledger = ledger_.ledger(sender_.address());
  const bool last = !ledger || ledger->total.is_zero();
  // While money is locked, gas for the next attempt stays.
  const evm::U256 keep = last ? rpc_.gas_price() * evm::U256(2 * 21'000) : gas_reserve();
  const evm::U256 balance = rpc_.balance(sender_.address());
  if (balance > keep + keep) sender_.send(payee, {}, balance - keep);
  return last;
}

}  // namespace ffe::aggregator
