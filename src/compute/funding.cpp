#include "compute/funding.hpp"

namespace ffe::compute {
namespace {

evm::U256 missing(const evm::U256& wanted, const evm::U256& there) {
  return wanted > there ? wanted - there : evm::U256();
}

}  // namespace

FundingPlan plan_funding(const LedgerManager& ledger, const FineTuningServing& serving,
                         const Address& user, const Address& provider, const evm::U256& amount) {
  SubAccount account;
  if (auto there = serving.account(user, provider)) {
    account = {true, there->free(), there->pending_refund};
  }
  return plan_funding(ledger, account, user, amount);
}

FundingPlan plan_funding(const LedgerManager& ledger, const SubAccount& account,
                         const Address& user, const evm::U256& amount) {
  FundingPlan plan;
  plan.free = account.free;
  plan.transfer = missing(amount, plan.free);
  if (plan.transfer.is_zero()) return plan;
  if (!account.exists) plan.transfer = std::max(plan.transfer, ledger.min_transfer_amount());
  // What is being asked back pays first, without new money.
  evm::U256 needed = missing(plan.transfer, account.pending_refund);
  std::optional<LedgerView> open = ledger.ledger(user);
  plan.deposit = missing(needed, open ? open->available : evm::U256());
  if (!open) plan.deposit = std::max(plan.deposit, ledger.min_account_balance());
  return plan;
}

void carry_out(const FundingPlan& plan, LedgerManager& ledger, const FineTuningServing& serving,
               evm::Sender& user, const Address& provider) {
  carry_out(plan, ledger, serving.address(), user, provider);
}

void carry_out(const FundingPlan& plan, LedgerManager& ledger, const Address& service_contract,
               evm::Sender& user, const Address& provider) {
  if (!plan.deposit.is_zero()) ledger.deposit(user, plan.deposit);
  if (!plan.transfer.is_zero()) {
    ledger.transfer(user, provider, ledger.service_name(service_contract), plan.transfer);
  }
}

evm::U256 withdrawable(const LedgerManager& ledger, const Address& user) {
  const auto held = ledger.ledger(user);
  if (!held) return {};
  if (held->total == held->available) return held->available;
  return std::min(held->available, missing(held->total, ledger.min_account_balance()));
}

}  // namespace ffe::compute
