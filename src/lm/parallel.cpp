#include "lm/parallel.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace ffe::lm {
namespace {

// The ticket is the epoch of the current job, then the index of its next task. Both change in one
// atomic step, so a worker that read an older job's fields cannot take a task with them.
constexpr uint64_t kEpoch = uint64_t{1} << 32;
constexpr uint64_t kIndex = kEpoch - 1;

inline void pause() {
  __builtin_ia32_pause();
}

class Pool {
 public:
  ~Pool() {
    stop_ = true;
    wake_.fetch_add(1);
    wake_.notify_all();
    for (std::thread& t : workers_) t.join();
  }

  void run(int threads, size_t n, void (*run)(void*, size_t), void* context) {
    const std::unique_lock<std::mutex> only(mutex_, std::try_to_lock);
    if (!only.owns_lock() || n >= kIndex) {
      for (size_t i = 0; i < n; ++i) run(context, i);
      return;
    }
    while (workers_.size() + 1 < static_cast<size_t>(threads)) {
      workers_.emplace_back([this, index = workers_.size()] { work(index); });
    }
    const uint64_t closed = (ticket_.load() & ~kIndex) + kEpoch;
    ticket_.store(closed | kIndex);
    run_.store(run);
    context_.store(context);
    size_.store(n);
    allowed_.store(static_cast<size_t>(threads) - 1);
    done_.store(0);
    ticket_.store(closed + kEpoch);
    wake_.fetch_add(1);
    if (sleepers_.load() > 0) wake_.notify_all();
    take_tasks();
    for (unsigned spins = 0; done_.load(std::memory_order_acquire) < n; ++spins) {
      if (spins < 4000) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  // Works on whatever job is current until it has no task left.
  void take_tasks() {
    for (;;) {
      uint64_t ticket = ticket_.load(std::memory_order_acquire);
      void (*const run)(void*, size_t) = run_.load(std::memory_order_relaxed);
      void* const context = context_.load(std::memory_order_relaxed);
      const size_t n = size_.load(std::memory_order_relaxed);
      if ((ticket & kIndex) >= n || (ticket & kIndex) == kIndex) return;
      if (!ticket_.compare_exchange_strong(ticket, ticket + 1)) continue;
      run(context, ticket & kIndex);
      done_.fetch_add(1, std::memory_order_release);
    }
  }

  void work(size_t index) {
    uint32_t seen = 0;
    while (!stop_) {
      for (unsigned spins = 0; wake_.load(std::memory_order_acquire) == seen; ++spins) {
        if (spins < 2000) {
          pause();
          continue;
        }
        sleepers_.fetch_add(1);
        wake_.wait(seen);
        sleepers_.fetch_sub(1);
      }
      seen = wake_.load(std::memory_order_acquire);
      if (index < allowed_.load()) take_tasks();
    }
  }

  std::mutex mutex_;
  std::vector<std::thread> workers_;
  std::atomic<uint64_t> ticket_{kIndex};
  std::atomic<void (*)(void*, size_t)> run_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<size_t> size_{0};
  std::atomic<size_t> allowed_{0};
  std::atomic<size_t> done_{0};
  std::atomic<uint32_t> wake_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace

void run_tasks(int threads, size_t n, void (*run)(void* context, size_t i), void* context) {
  static Pool pool;
  pool.run(threads, n, run, context);
}

}  // namespace ffe::lm
