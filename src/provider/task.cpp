#include "provider/task.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include "crypto/address.hpp"

namespace ffe::provider {

std::string_view state_name(State state) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "Init",      "SettingUp",        "SetUp",    "Training", "Trained", "Delivering",
      "Delivered", "UserAcknowledged", "Finished", "Failed"};
  return kNames[static_cast<size_t>(state)];
}

std::string rfc3339(uint64_t unix_seconds) {
  std::time_t time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

Json to_json(const Task& t) {
  return {{"id", t.id.text()},
          {"createdAt", rfc3339(t.created)},
          {"updatedAt", rfc3339(t.updated)},
          {"userAddress", crypto::checksum_address(t.user)},
          {"preTrainedModelHash", t.base_model_hash},
          {"datasetHash", t.dataset_hash},
          {"trainingParams", t.params_text},
          {"fee", t.fee.to_string()},
          {"nonce", t.nonce.to_string()},
          {"signature", t.signature},
          {"progress", state_name(t.state)},
          {"deliverIndex", 0},
          {"deliverTime", t.deliver_time},
          {"modelType", 0},
          {"wait", t.wait}};
}

void TaskList::touch(Task& task) {
  task.updated = static_cast<uint64_t>(std::time(nullptr));
}

void TaskList::add(Task task) {
  std::lock_guard lock(mutex_);
  task.created = static_cast<uint64_t>(std::time(nullptr));
  touch(task);
  tasks_.push_back(std::move(task));
}

std::optional<Task> TaskList::find(const compute::TaskId& id) const {
  std::lock_guard lock(mutex_);
  for (const Task& task : tasks_) {
    if (task.id == id) return task;
  }
  return std::nullopt;
}

std::vector<Task> TaskList::of(const Address& user) const {
  std::lock_guard lock(mutex_);
  std::vector<Task> out;
  std::copy_if(tasks_.begin(), tasks_.end(), std::back_inserter(out),
               [&](const Task& t) { return t.user == user; });
  return out;
}

std::vector<Task> TaskList::in(State state) const {
  std::lock_guard lock(mutex_);
  std::vector<Task> out;
  std::copy_if(tasks_.begin(), tasks_.end(), std::back_inserter(out),
               [&](const Task& t) { return t.state == state; });
  return out;
}

size_t TaskList::waiting() const {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(tasks_.begin(), tasks_.end(), [](const Task& t) { return t.waiting(); }));
}

bool TaskList::user_has_open(const Address& user) const {
  std::lock_guard lock(mutex_);
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [&](const Task& t) { return t.user == user && t.open(); });
}

void TaskList::set_state(const compute::TaskId& id, State state) {
  update(id, [&](Task& task) {
    if (task.state == State::kFailed) return;  // cancelled meanwhile
    if (task.state != state) task.attempts = 0;
    task.state = state;
  });
}

void TaskList::log(const compute::TaskId& id, std::string_view text) {
  update(id, [&](Task& task) {
    task.log += "[" + rfc3339(static_cast<uint64_t>(std::time(nullptr))) + "] ";
    task.log += text;
    task.log += '\n';
  });
}

}  // namespace ffe::provider
