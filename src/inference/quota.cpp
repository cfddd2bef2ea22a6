#include "inference/quota.hpp"

#include <algorithm>
#include <cmath>

namespace ffe::inference {

void Quota::refill(Account& account, Clock::time_point now) const {
  const double seconds = std::max(std::chrono::duration<double>(now - account.at).count(), 0.0);
  account.left = std::min(per_minute_, account.left + seconds * per_minute_ / 60);
  account.at = std::max(account.at, now);
}

void Quota::forget_idle(Clock::time_point now) {
  for (auto it = accounts_.begin(); it != accounts_.end();) {
    refill(it->second, now);
    const bool idle = it->second.streams == 0 && it->second.left >= per_minute_;
    it = idle ? accounts_.erase(it) : std::next(it);
  }
}

std::unique_ptr<Quota::Lease> Quota::enter(const Address& owner, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (accounts_.size() > 1000) forget_idle(now);
  Account& account = accounts_.try_emplace(owner, Account{0, per_minute_, now}).first->second;
  refill(account, now);
  if (account.left <= 0) {
    const int seconds = static_cast<int>(std::ceil(1 - account.left * 60 / per_minute_));
    throw Refusal(429, "rate_limit_exceeded",
                  "this model's owner has used the " +
                      std::to_string(static_cast<uint64_t>(per_minute_)) + " tokens of a minute",
                  "try again in " + std::to_string(seconds) + " s", seconds);
  }
  if (account.streams >= streams_) {
    throw Refusal(429, "rate_limit_exceeded",
                  std::to_string(streams_) + " answers of this owner are under way",
                  "wait until one is finished", 2);
  }
  ++account.streams;
  return std::make_unique<Lease>(*this, owner);
}

void Quota::Lease::use(uint64_t tokens, Clock::time_point now) {
  std::lock_guard lock(quota_.mutex_);
  Account& account = quota_.accounts_.at(owner_);
  quota_.refill(account, now);
  account.left -= static_cast<double>(tokens);
}

Quota::Lease::~Lease() {
  std::lock_guard lock(quota_.mutex_);
  --quota_.accounts_.at(owner_).streams;
}

}  // namespace ffe::inference
