// The provider's work: takes tasks from one state to the next, as 0G's broker does in its pollers.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "provider/options.hpp"
#include "provider/task.hpp"
#include "provider/training.hpp"

namespace ffe::provider {

// Where a user's dataset lies after a direct upload, and a task's files.
std::filesystem::path dataset_path(const ProviderOptions& options, const Address& user,
                                   const std::string& hash);
std::filesystem::path adapter_path(const ProviderOptions& options, const compute::TaskId& id);
std::filesystem::path encrypted_path(const ProviderOptions& options, const compute::TaskId& id);

class Worker {
 public:
  Worker(const ProviderOptions& options, const crypto::PrivateKey& key, TaskList& tasks);
  ~Worker();

  // Registers the service at `url` (with 0G's stake where it is new) and begins to work.
  void start(const std::string& url);
  void stop();

  compute::FineTuningServing& chain() { return chain_; }
  const Address& address() const { return sender_.address(); }

 private:
  void loop();
  void tick();
  template <class F>
  void stage(State from, State during, State back, unsigned attempts, F work);
  void set_up(const Task& task);
  void train(const Task& task);
  void deliver(const Task& task);
  void follow(const Task& task);
  void settle(const Task& task, bool acknowledged);

  Bytes find_dataset(const Task& task);
  compute::TrainingRows convert(const Task& task, ByteView data) const;
  void check_account(const Task& task, const evm::U256& fee);
  void register_service(const std::string& url, const Address& signer);
  void spoil(const std::filesystem::path& file) const;
  Bytes model_root(const std::filesystem::path& file);

  const ProviderOptions& options_;
  TaskList& tasks_;
  evm::RpcClient rpc_;
  evm::Sender sender_;
  compute::FineTuningServing chain_;
  crypto::PrivateKey tee_;
  Trainer trainer_;
  std::string url_;
  bool delivery_failed_once_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace ffe::provider
