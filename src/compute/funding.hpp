// Money for a provider: from the wallet into the ledger, from there into the sub-account.
#pragma once

#include "compute/chain.hpp"

namespace ffe::compute {

struct FundingPlan {
  evm::U256 deposit;   // wei from the wallet into the ledger; 0: nothing to do
  evm::U256 transfer;  // wei from the ledger into the sub-account; 0: nothing to do
  evm::U256 free;      // of the sub-account, beforehand

  bool empty() const { return deposit.is_zero() && transfer.is_zero(); }
};

// What is missing until at least `amount` is free in the user's sub-account at `provider`. What is
// there is not paid again, so a plan may be made and carried out as often as one likes. Rises to
// the network's minimums, which hold for a new ledger and a new sub-account.
FundingPlan plan_funding(const LedgerManager& ledger, const FineTuningServing& serving,
                         const Address& user, const Address& provider, const evm::U256& amount);

// The same for the sub-account at any of the ledger's services, as the chain shows it.
struct SubAccount {
  bool exists = false;
  evm::U256 free;            // wei
  evm::U256 pending_refund;  // wei that is being asked back
};
FundingPlan plan_funding(const LedgerManager& ledger, const SubAccount& account,
                         const Address& user, const evm::U256& amount);

// At most one transaction for each of the two. Throws Error{kChain} if the wallet does not suffice.
void carry_out(const FundingPlan& plan, LedgerManager& ledger, const FineTuningServing& serving,
               evm::Sender& user, const Address& provider);
void carry_out(const FundingPlan& plan, LedgerManager& ledger, const Address& service_contract,
               evm::Sender& user, const Address& provider);

// What the user can take out of the ledger now: it must hold nothing or the network's minimum, so
// while sub-accounts hold something, that much stays.
evm::U256 withdrawable(const LedgerManager& ledger, const Address& user);

}  // namespace ffe::compute
