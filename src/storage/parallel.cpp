#include "storage/parallel.hpp"

#include <exception>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/interrupt.hpp"

namespace ffe::storage {

void run_parallel(unsigned threads, const std::function<void(const std::atomic<bool>&)>& work) {
  std::atomic<bool> stop{false};
  std::exception_ptr failure;
  std::mutex mutex;
  auto guarded = [&] {
    try {
      work(stop);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
      stop = true;
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(guarded);
  guarded();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

void sleep_interruptibly(std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kSlice{50};
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    check_interrupt();
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, kSlice));
  }
}

void Backoff::wait() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const auto most = next_.count();
  sleep_interruptibly(
      std::chrono::milliseconds(std::uniform_int_distribution<long>(most / 2, most)(random)));
  next_ = std::min(next_ * 2, std::chrono::milliseconds(10'000));
}

}  // namespace ffe::storage
