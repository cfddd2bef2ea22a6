// Requests per second and address: a token bucket for each.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace ffe::provider {

class Limiter {
 public:
  // `rate` a second, at most `burst` at once; rate 0: no limit.
  Limiter(double rate, unsigned burst) : rate_(rate), burst_(burst) {}

  bool allow(const std::string& address) {
    if (rate_ <= 0) return true;
    std::lock_guard lock(mutex_);
    if (buckets_.size() > kMaxAddresses) buckets_.clear();
    auto now = std::chrono::steady_clock::now();
    auto [it, is_new] = buckets_.try_emplace(address, Bucket{static_cast<double>(burst_), now});
    Bucket& bucket = it->second;
    double passed = std::chrono::duration<double>(now - bucket.at).count();
    bucket.tokens = std::min(static_cast<double>(burst_), bucket.tokens + passed * rate_);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

 private:
  static constexpr size_t kMaxAddresses = 10'000;
  struct Bucket {
    double tokens;
    std::chrono::steady_clock::time_point at;
  };

  double rate_;
  unsigned burst_;
  std::mutex mutex_;
  std::map<std::string, Bucket> buckets_;
};

}  // namespace ffe::provider
