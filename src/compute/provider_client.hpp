// The REST interface of 0G's fine-tuning providers, from the user's side.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/progress.hpp"
#include "compute/request.hpp"
#include "compute/training_params.hpp"
#include "net/http_client.hpp"

namespace ffe::compute {

struct TaskRequest {
  std::string base_model_hash;
  std::string dataset_hash;
  TrainingParams params;
  evm::U256 nonce;
  bool wait = false;  // queue behind others
};

// A task as the provider shows it; its word, not the chain's.
struct TaskView {
  TaskId id;
  std::string state;  // "Init" … "Finished", "Failed", or one that is not known yet
  std::string base_model_hash;
  std::string dataset_hash;
  std::string params;
  evm::U256 fee;  // wei; 0 before the provider has counted
  evm::U256 nonce;
  uint64_t deliver_time = 0;  // Unix seconds; 0 before
};
// Read leniently, because providers differ in age: unknown members are ignored. Throws
// Error{kBadInput} naming the member that is missing or malformed.
TaskView task_from_json(const Json& json);

struct ProviderOptions {
  // A provider answers 429 and 503 while it is busy, and counts quote, dataset and download
  // together (0.1 a second, bursts of 2): such answers and broken connections are waited out,
  // except for a task, which is never sent twice.
  unsigned attempts = 6;
  std::chrono::milliseconds first_pause{10'000};  // doubles
  std::chrono::milliseconds longest_pause{60'000};
  int request_timeout_ms = 60'000;
  int idle_timeout_ms = 60'000;  // of a download
  uint64_t max_download = uint64_t{16} << 30;
  std::function<uint64_t()> now;  // Unix seconds; for tests
};

// The answer was an error. `status` is HTTP's.
class ProviderError : public Error {
 public:
  ProviderError(int status, const std::string& message, std::string hint = {})
      : Error(ErrorCode::kNetwork, message, std::move(hint)), status(status) {}
  int status;
};

// Thread-safe. Throws ProviderError with the provider's words, Error{kNetwork} without an answer.
class ProviderClient {
 public:
  explicit ProviderClient(std::string url, ProviderOptions options = {});

  const std::string& url() const { return url_; }

  std::string quote(bool legacy = false);
  uint64_t pending();  // tasks waiting or in training
  // Sent once: after Error{kNetwork} look among tasks() for the nonce before sending another.
  TaskId create_task(const crypto::PrivateKey& user, const TaskRequest& request);
  std::vector<TaskView> tasks(const Address& user);  // newest first
  TaskView task(const Address& user, const TaskId& id);
  std::string log(const Address& user, const TaskId& id);  // any bytes
  void cancel(const crypto::PrivateKey& user, const TaskId& id);
  // Directly, without 0G Storage. Returns the hash that a task names it by, which is checked to be
  // the Keccak-256 of the bytes.
  std::string upload_dataset(const crypto::PrivateKey& user, const std::string& filename,
                             ByteView content);
  // The encrypted model into `out`; goes on with what an interrupted download left in "<out>.part".
  void download(const crypto::PrivateKey& user, const TaskId& id, const std::filesystem::path& out,
                const Progress& progress = {});

 private:
  net::HttpResponse exchange(const net::HttpRequest& request);
  net::HttpResponse patient(const std::function<net::HttpRequest()>& request,
                            const net::BodySink* sink = nullptr);
  net::HttpRequest get(const std::string& path) const;
  net::HttpRequest post(const std::string& path, const Json& body) const;
  std::string user_path(const Address& user, const std::string& rest) const;
  uint64_t now() const;

  std::string url_;
  ProviderOptions options_;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace ffe::compute
