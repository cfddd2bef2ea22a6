// Each sealed request once: whoever saw one on its way can send it again, but not have it answered.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <set>

#include "inference/refusal.hpp"

namespace ffe::inference {

// Thread-safe. Remembers a request for as long as its time would still be accepted.
class ReplayGuard {
 public:
  explicit ReplayGuard(uint32_t window_seconds) : window_(window_seconds * uint64_t{1000}) {}

  // `time`: when the client says that it made the request; `now`: both Unix milliseconds. Throws
  // Refusal 400 outside the window, 409 for a request that came before, 503 when too many came.
  void admit(const H256& request, uint64_t time, uint64_t now);

 private:
  static constexpr size_t kMost = 200'000;

  const uint64_t window_;
  std::mutex mutex_;
  std::set<H256> seen_;
  std::deque<std::pair<uint64_t, H256>> order_;  // when each may be forgotten
};

}  // namespace ffe::inference
