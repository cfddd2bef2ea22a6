#include "compute/funding.hpp"

namespace ffe::compute {
namespace {

evm::U256 missing(const evm::U256& wanted, const evm::U256& there) {
  return wanted > there ? wanted - there : evm::U256();
}

}  // namespace

FundingPlan plan_funding(const LedgerManager& ledger, const FineTuningServing& serving,
                         const Address& user, const Address& provider, const evm::U256& amount) {
  FundingPlan plan;
  std::optional<AccountView> account = serving.account(user, provider);
  if (account) plan.free = account->free();
  plan.transfer = missing(amount, plan.free);
  if (plan.transfer.is_zero()) return plan;
  if (!account) plan.transfer = std::max(plan.transfer, ledger.min_transfer_amount());
  // What is being asked back pays first, without new money.
  evm::U256 pending = account ? account->pending_refund : evm::U256();
  evm::U256 needed = missing(plan.transfer, pending);
  std::optional<LedgerView> open = ledger.ledger(user);
  plan.deposit = missing(needed, open ? open->available : evm::U256());
  if (!open) plan.deposit = std::max(plan.deposit, ledger.min_account_balance());
  return plan;
}

void carry_out(const FundingPlan& plan, LedgerManager& ledger, const FineTuningServing& serving,
               evm::Sender& user, const Address& provider) {
  if (!plan.deposit.is_zero()) ledger.deposit(user, plan.deposit);
  if (!plan.transfer.is_zero()) {
    ledger.transfer(user, provider, ledger.service_name(serving.address()), plan.transfer);
  }
}

}  // namespace ffe::compute
