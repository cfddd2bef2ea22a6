// One task in the provider's hands, and all of them.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "compute/task_id.hpp"
#include "compute/training_params.hpp"
#include "crypto/secp256k1.hpp"
#include "evm/u256.hpp"

namespace ffe::provider {

enum class State {
  kInit,
  kSettingUp,
  kSetUp,
  kTraining,
  kTrained,
  kDelivering,
  kDelivered,
  kUserAcknowledged,
  kFinished,
  kFailed,
};
std::string_view state_name(State state);  // "Init", "SettingUp", …

struct Task {
  compute::TaskId id;
  uint64_t created = 0;  // Unix seconds
  uint64_t updated = 0;
  Address user;
  std::string base_model_hash;
  std::string dataset_hash;
  std::string params_text;
  compute::TrainingParams params;
  evm::U256 nonce;
  std::string signature;  // as it was sent
  bool wait = false;
  State state = State::kInit;
  evm::U256 fee;
  uint64_t deliver_time = 0;
  unsigned attempts = 0;  // of the current stage
  std::string log;
  // From the setup: where the key of the file is sent to.
  std::optional<crypto::PublicKey> user_key;
  // From the delivery.
  Bytes file_key;
  Bytes model_root;

  bool open() const { return state != State::kFinished && state != State::kFailed; }
  bool waiting() const { return state <= State::kTraining; }
};

// As 0G's API shows it.
Json to_json(const Task& task);

// All tasks, in order of creation. Thread-safe; tasks are handed out as copies.
class TaskList {
 public:
  void add(Task task);
  std::optional<Task> find(const compute::TaskId& id) const;
  std::vector<Task> of(const Address& user) const;
  std::vector<Task> in(State state) const;
  size_t waiting() const;
  bool user_has_open(const Address& user) const;

  // Changes one task under the lock; false if it is gone.
  template <class F>
  bool update(const compute::TaskId& id, F change) {
    std::lock_guard lock(mutex_);
    for (Task& task : tasks_) {
      if (task.id != id) continue;
      change(task);
      touch(task);
      return true;
    }
    return false;
  }
  void set_state(const compute::TaskId& id, State state);
  // A line "[time] text" in the task's log.
  void log(const compute::TaskId& id, std::string_view text);

 private:
  static void touch(Task& task);

  mutable std::mutex mutex_;
  std::vector<Task> tasks_;
};

std::string rfc3339(uint64_t unix_seconds);

}  // namespace ffe::provider
