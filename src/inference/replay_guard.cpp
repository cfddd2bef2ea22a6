#include "inference/replay_guard.hpp"

namespace ffe::inference {

void ReplayGuard::admit(const H256& request, uint64_t time, uint64_t now) {
  if (time + window_ < now || time > now + window_) {
    throw Refusal(400, "bad_time",
                  "the request's time is " + std::to_string(window_ / 1000) +
                      " seconds or more away from the enclave's",
                  "check this machine's clock");
  }
  std::lock_guard lock(mutex_);
  while (!order_.empty() && order_.front().first < now) {
    seen_.erase(order_.front().second);
    order_.pop_front();
  }
  if (seen_.contains(request)) {
    throw Refusal(409, "replayed", "this request was sent before",
                  "seal every request anew: somebody may be sending yours again");
  }
  if (seen_.size() >= kMost) {
    throw Refusal(503, "busy", "more requests than this enclave can remember", {}, 10);
  }
  // A time ahead of ours is accepted until twice the window from now.
  seen_.insert(request);
  order_.emplace_back(now + 2 * window_, request);
}

}  // namespace ffe::inference
