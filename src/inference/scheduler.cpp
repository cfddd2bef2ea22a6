#include "inference/scheduler.hpp"

#include <exception>

#include "base/log.hpp"
#include "inference/refusal.hpp"

namespace ffe::inference {

struct Scheduler::Stream::Channel {
  std::vector<lm::StreamEvent> events;
  std::exception_ptr failure;
  lm::StreamId id = 0;  // 0: not in the batch (yet, or any more)
  bool abandoned = false;
};

Scheduler::Stream::Stream(Scheduler& scheduler, std::shared_ptr<Channel> channel)
    : scheduler_(scheduler), channel_(std::move(channel)) {}

Scheduler::Stream::~Stream() {
  std::lock_guard lock(scheduler_.mutex_);
  channel_->abandoned = true;
  --scheduler_.places_taken_;
  if (scheduler_.running_.erase(channel_->id) > 0) scheduler_.left_.push_back(channel_->id);
  scheduler_.work_.notify_one();
}

std::vector<lm::StreamEvent> Scheduler::Stream::take(std::chrono::milliseconds wait) {
  std::unique_lock lock(scheduler_.mutex_);
  scheduler_.news_.wait_for(lock, wait,
                            [&] { return !channel_->events.empty() || channel_->failure; });
  if (channel_->events.empty() && channel_->failure) std::rethrow_exception(channel_->failure);
  return std::exchange(channel_->events, {});
}

Scheduler::Scheduler(MakeEngine make_engine, size_t max_streams)
    : make_engine_(std::move(make_engine)), max_streams_(max_streams), thread_([this] { run(); }) {}

Scheduler::~Scheduler() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_one();
  }
  thread_.join();
}

std::unique_ptr<Scheduler::Stream> Scheduler::start(lm::StreamRequest request) {
  std::lock_guard lock(mutex_);
  if (places_taken_ >= max_streams_) {
    throw Refusal(503, "busy", "all places of this enclave are taken", "try again in 2 s", 2);
  }
  ++places_taken_;
  auto channel = std::make_shared<Stream::Channel>();
  waiting_.emplace_back(channel, std::move(request));
  work_.notify_one();
  return std::unique_ptr<Stream>(new Stream(*this, std::move(channel)));
}

void Scheduler::release(bool engine_too) {
  std::lock_guard lock(mutex_);
  release_ = engine_too ? Release::kEngine : std::max(release_, Release::kBatch);
  work_.notify_one();
}

size_t Scheduler::active() const {
  std::lock_guard lock(mutex_);
  return places_taken_;
}

void Scheduler::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (running_.empty() && waiting_.empty() && left_.empty() && release_ == Release::kNone) {
      work_.wait(lock);
      continue;
    }
    turn(lock);
  }
}

// One step of the batch. The lock is open while the engine works.
void Scheduler::turn(std::unique_lock<std::mutex>& lock) {
  auto waiting = std::exchange(waiting_, {});
  const auto left = std::exchange(left_, {});
  lock.unlock();
  std::vector<lm::StreamEvent> events;
  try {
    if (batch_) {
      for (const lm::StreamId id : left) batch_->remove(id);
    }
    admit(std::move(waiting));
    if (batch_ && batch_->active() > 0) events = batch_->step();
  } catch (const std::exception& e) {
    log::error("sealed inference: {}", e.what());
    lock.lock();
    fail_all("the engine failed");
    return;
  }
  lock.lock();
  for (const lm::StreamEvent& event : events) {
    const auto it = running_.find(event.id);
    if (it == running_.end()) continue;  // its reader left during the step
    it->second->events.push_back(event);
    if (!event.end) continue;
    it->second->id = 0;
    running_.erase(it);
  }
  if (!events.empty()) news_.notify_all();
  if (running_.empty() && waiting_.empty()) let_go();
}

void Scheduler::let_go() {
  if (release_ == Release::kNone) return;
  batch_.reset();
  if (release_ == Release::kEngine) engine_.reset();
  release_ = Release::kNone;
}

void Scheduler::admit(
    std::deque<std::pair<std::shared_ptr<Stream::Channel>, lm::StreamRequest>> waiting) {
  for (auto& [channel, request] : waiting) {
    try {
      if (!engine_) engine_ = make_engine_();
      if (!batch_) batch_ = std::make_unique<lm::BatchGenerator>(*engine_);
      const lm::StreamId id = batch_->add(std::move(request));
      std::lock_guard lock(mutex_);
      channel->id = id;
      if (channel->abandoned) {
        left_.push_back(id);
      } else {
        running_[id] = channel;
      }
    } catch (const std::exception& e) {
      const auto* error = dynamic_cast<const Error*>(&e);
      const bool input = error != nullptr && error->code() == ErrorCode::kBadInput;
      if (!input) log::error("sealed inference: {}", e.what());
      std::lock_guard lock(mutex_);
      channel->failure =
          input
              ? std::current_exception()
              : std::make_exception_ptr(Refusal(503, "busy", "the engine could not begin", {}, 10));
      news_.notify_all();
    }
  }
}

void Scheduler::fail_all(const std::string& why) {
  for (const auto& [id, channel] : running_) {
    channel->failure = std::make_exception_ptr(Refusal(503, "busy", why, {}, 10));
    channel->id = 0;
  }
  running_.clear();
  left_.clear();
  batch_.reset();
  news_.notify_all();
}

}  // namespace ffe::inference
