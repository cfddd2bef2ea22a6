// Waiting for something on the chain; internal to this room.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "evm/rpc.hpp"

namespace ffe::evm {

class Poll {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Poll(const WaitOptions& options)
      : deadline_(Clock::now() + options.timeout),
        pause_(options.poll / 8 + std::chrono::milliseconds(1)),
        longest_pause_(4 * options.poll) {}

  bool expired() const { return Clock::now() >= deadline_; }

  void sleep() {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now());
    std::this_thread::sleep_for(std::min(pause_, std::max(left, std::chrono::milliseconds(0))));
    pause_ = std::min(pause_ * 3 / 2, longest_pause_);
  }

  // The result of `question`. An endpoint that fails a few times in a row gives "nothing yet": what
  // is waited for has been paid for, and a dropped connection is no reason to forget it.
  template <class F>
  auto attempt(F question) -> decltype(question()) {
    try {
      auto answer = question();
      failures_ = 0;
      return answer;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kNetwork || ++failures_ > kToleratedFailures) throw;
      return {};
    }
  }

 private:
  static constexpr int kToleratedFailures = 5;

  Clock::time_point deadline_;
  std::chrono::milliseconds pause_;
  std::chrono::milliseconds longest_pause_;
  int failures_ = 0;
};

}  // namespace ffe::evm
