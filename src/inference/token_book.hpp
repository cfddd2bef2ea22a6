// Who may use a token's model, as the chain says it now or said it seconds ago.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>

#include "session/chain.hpp"

namespace ffe::inference {

struct TokenFacts {
  Address owner;
  std::set<Address> users;  // authorizeUsage
  H256 artifact_root;

  bool allows(const Address& user) const { return user == owner || users.contains(user); }
};

// Thread-safe.
class TokenBook {
 public:
  using Clock = std::chrono::steady_clock;
  using LookUp = std::function<TokenFacts(const evm::U256& token)>;

  static constexpr int kLookUpsPerMinute = 300;  // of unconfirmed ids, by everybody together

  TokenBook(LookUp look_up, uint32_t cache_seconds)
      : look_up_(look_up), cache_(cache_seconds), look_ups_left_(kLookUpsPerMinute) {}

  // Throws Refusal 404 for a token that does not exist, 503 where the chain does not answer, 429
  // where too many ids that the chain has not confirmed are asked about: anybody can make a wallet
  // and name numbers, and each costs the operator calls to the chain.
  TokenFacts at(const evm::U256& token, Clock::time_point now = Clock::now());
  // Past the cache.
  TokenFacts fresh(const evm::U256& token, Clock::time_point now = Clock::now());

 private:
  struct Entry {
    TokenFacts facts;
    Clock::time_point at;
  };

  void spend_look_up(Clock::time_point now);

  const LookUp look_up_;
  const std::chrono::seconds cache_;
  std::mutex mutex_;
  std::map<evm::U256, Entry> entries_;
  double look_ups_left_;
  Clock::time_point counted_at_ = Clock::now();
};

// Asks the contract. Both must outlive the result.
TokenBook::LookUp chain_look_up(const session::Inft& inft);

}  // namespace ffe::inference
