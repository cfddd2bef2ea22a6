// One thread that drives the batch: answers of all owners, on one engine.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lm/batch_generator.hpp"

namespace ffe::inference {

// Thread-safe. The engine is made when the first answer asks for it, and dropped by release().
class Scheduler {
 public:
  using MakeEngine = std::function<std::unique_ptr<lm::Engine>()>;

  Scheduler(MakeEngine make_engine, size_t max_streams);
  ~Scheduler();  // no stream may be left
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // An answer under way. Its end frees the place in the batch, whether or not it was finished.
  class Stream {
   public:
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // What was drawn since the last call; waits until there is something, at most so long. The last
    // event is the end. Throws Refusal 503 if the engine failed, Error{kBadInput} for a prompt that
    // it refused.
    std::vector<lm::StreamEvent> take(std::chrono::milliseconds wait);

   private:
    friend class Scheduler;
    struct Channel;
    Stream(Scheduler& scheduler, std::shared_ptr<Channel> channel);
    Scheduler& scheduler_;
    std::shared_ptr<Channel> channel_;
  };

  // Throws Refusal 503 if all places are taken.
  std::unique_ptr<Stream> start(lm::StreamRequest request);

  // Forgets what the batch keeps of adapters that nobody holds any more; `engine_too`: drops the
  // weights as well. Done once no answer is under way.
  void release(bool engine_too);

  size_t active() const;

 private:
  enum class Release { kNone, kBatch, kEngine };

  void run();
  void turn(std::unique_lock<std::mutex>& lock);
  void let_go();
  void admit(std::deque<std::pair<std::shared_ptr<Stream::Channel>, lm::StreamRequest>> waiting);
  void fail_all(const std::string& why);

  const MakeEngine make_engine_;
  const size_t max_streams_;

  // Of the thread alone.
  std::unique_ptr<lm::Engine> engine_;
  std::unique_ptr<lm::BatchGenerator> batch_;

  mutable std::mutex mutex_;
  std::condition_variable work_;  // for the thread
  std::condition_variable news_;  // for those who wait for tokens
  std::deque<std::pair<std::shared_ptr<Stream::Channel>, lm::StreamRequest>> waiting_;
  std::map<lm::StreamId, std::shared_ptr<Stream::Channel>> running_;
  std::vector<lm::StreamId> left_;  // to be removed from the batch
  size_t places_taken_ = 0;
  Release release_ = Release::kNone;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ffe::inference
