// What each owner may use: so many answers at once, so many tokens a minute.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>

#include "base/bytes.hpp"
#include "inference/refusal.hpp"

namespace ffe::inference {

// Thread-safe; outlives its leases.
class Quota {
 public:
  using Clock = std::chrono::steady_clock;

  Quota(size_t streams, uint64_t tokens_per_minute)
      : streams_(streams), per_minute_(static_cast<double>(tokens_per_minute)) {}

  // One answer under way; ends with this object.
  class Lease {
   public:
    Lease(Quota& quota, const Address& owner) : quota_(quota), owner_(owner) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Tokens read or drawn. What goes beyond the minute's share is owed: an answer that has begun
    // is finished, and the next one waits.
    void use(uint64_t tokens, Clock::time_point now = Clock::now());

   private:
    Quota& quota_;
    Address owner_;
  };

  // Throws Refusal 429 that says after how many seconds to ask again.
  std::unique_ptr<Lease> enter(const Address& owner, Clock::time_point now = Clock::now());

 private:
  struct Account {
    size_t streams = 0;
    double left;  // tokens; below zero: owed
    Clock::time_point at;
  };
  void refill(Account& account, Clock::time_point now) const;
  void forget_idle(Clock::time_point now);

  const size_t streams_;
  const double per_minute_;
  std::mutex mutex_;
  std::map<Address, Account> accounts_;
};

}  // namespace ffe::inference
