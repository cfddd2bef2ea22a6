// Follows the Flow contract's events into a store.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "evm/rpc.hpp"
#include "storage/node.hpp"
#include "storage/store.hpp"

namespace ffe::storage {

// Polls in a thread of its own. An endpoint that does not answer, or a chain that begins later, is
// waited for; a reorganised chain is followed from the last common block.
class Follower {
 public:
  Follower(Store& store, const NodeOptions& options);
  ~Follower();  // stops
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  void run();
  bool wait();  // false: time to stop
  // One step; true if there is more to do at once.
  bool follow();
  void identify();
  void rewind_to_common(const BlockMark& cursor);
  bool on_chain(const BlockMark& mark);
  bool take_page(uint64_t from, uint64_t head);

  Store& store_;
  const NodeOptions& options_;
  evm::RpcClient rpc_;
  unsigned polls_behind_ = 0;
  bool identified_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ffe::storage
