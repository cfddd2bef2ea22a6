// A few threads that share a job, and waiting between attempts.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "base/error.hpp"

namespace ffe::storage {

// Runs `work` on `threads` threads (the caller's among them) and waits for all. `work` looks at the
// flag between its steps and returns once it is set: another thread failed. The first exception
// comes out here.
void run_parallel(unsigned threads, const std::function<void(const std::atomic<bool>&)>& work);

// Sleeps; throws Error{kInterrupted} early when the user stops the program.
void sleep_interruptibly(std::chrono::milliseconds time);

// Growing pauses with jitter: 250 ms doubling to 10 s, each between half and all of that.
class Backoff {
 public:
  void wait();

 private:
  std::chrono::milliseconds next_{250};
};

// Up to `attempts` calls of `f`, with pauses, until one does not throw Error{kNetwork, kBadInput}.
template <class F>
auto with_retries(unsigned attempts, F&& f) {
  Backoff backoff;
  for (unsigned i = 1;; ++i) {
    try {
      return f();
    } catch (const Error& e) {
      const bool peer = e.code() == ErrorCode::kNetwork || e.code() == ErrorCode::kBadInput;
      if (!peer || i >= attempts) throw;
    }
    backoff.wait();
  }
}

class Deadline {
 public:
  explicit Deadline(int ms)
      : at_(std::chrono::steady_clock::now() + std::chrono::milliseconds(ms)) {}
  bool over() const { return std::chrono::steady_clock::now() >= at_; }

 private:
  std::chrono::steady_clock::time_point at_;
};

}  // namespace ffe::storage
