#include "base/interrupt.hpp"

#include <algorithm>
#include <atomic>
#include <signal.h>
#include <thread>
#include <unistd.h>

#include "base/error.hpp"

namespace ffe {
namespace {

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  if (g_interrupted.exchange(true)) _exit(130);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

bool interrupted() {
  return g_interrupted;
}

bool take_interrupt() {
  return g_interrupted.exchange(false);
}

void check_interrupt() {
  if (interrupted()) throw Error(ErrorCode::kInterrupted, "interrupted");
}

void interruptible_sleep(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) {
    check_interrupt();
    std::this_thread::sleep_for(std::min(time, std::chrono::milliseconds(50)));
  }
}

}  // namespace ffe
