#include "provider/worker.hpp"

#include <ctime>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "compute/archive.hpp"
#include "compute/base_models.hpp"
#include "compute/deliverable.hpp"
#include "compute/request.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"

namespace ffe::provider {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kAttempts = 10;  // of setting up, delivering and settling; training has one

// Ends a task at once: trying again would not help.
struct Hopeless : std::runtime_error {
  using std::runtime_error::runtime_error;
};

uint64_t now() {
  return static_cast<uint64_t>(std::time(nullptr));
}

fs::path task_dir(const ProviderOptions& options, const compute::TaskId& id) {
  return options.dir / "tasks" / id.text();
}

}  // namespace

fs::path dataset_path(const ProviderOptions& options, const Address& user,
                      const std::string& hash) {
  return options.dir / "datasets" / to_hex(user.bytes) / hash;
}

fs::path encrypted_path(const ProviderOptions& options, const compute::TaskId& id) {
  return task_dir(options, id) / "lora_encrypted.data";
}

fs::path adapter_path(const ProviderOptions& options, const compute::TaskId& id) {
  return task_dir(options, id) / "output_model";
}

Worker::Worker(const ProviderOptions& options, const crypto::PrivateKey& key, TaskList& tasks)
    : options_(options),
      tasks_(tasks),
      rpc_(options.rpc_url, compute::rpc_options()),
      sender_(rpc_, key),
      chain_(rpc_, options.contracts.fine_tuning),
      tee_(mock_tee_key()),
      trainer_(options.model, options.threads) {}

Worker::~Worker() {
  stop();
}

void Worker::register_service(const std::string& url, const Address& signer) {
  bool known = chain_.service(address()).has_value();
  chain_.offer(sender_, {url, options_.price_per_token, {}, signer},
               known ? evm::U256() : evm::parse_ether("100"));
}

void Worker::start(const std::string& url) {
  url_ = url;
  register_service(url, tee_.address());
  thread_ = std::thread([this] { loop(); });
}

void Worker::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Worker::loop() {
  while (!stopping_) {
    try {
      tick();
    } catch (const std::exception& e) {
      log::warn("provider: {}", e.what());
    }
    auto until = std::chrono::steady_clock::now() + options_.poll;
    while (!stopping_ && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::min(options_.poll, std::chrono::milliseconds(20)));
    }
  }
}

// The tasks in one state, through the work of their stage. What fails goes back and is tried again.
template <class F>
void Worker::stage(State from, State during, State back, unsigned attempts, F work) {
  for (const Task& task : tasks_.in(from)) {
    if (stopping_) return;
    tasks_.update(task.id, [&](Task& t) {
      if (t.state == from) t.state = during;
    });
    unsigned allowed = attempts;
    try {
      work(task);
      continue;
    } catch (const Hopeless& e) {
      allowed = 0;
      tasks_.log(task.id, e.what());
    } catch (const std::exception& e) {
      tasks_.log(task.id, "Error executing task " + task.id.text() + ": " + e.what());
    }
    if (task.attempts + 1 >= allowed) {
      tasks_.set_state(task.id, State::kFailed);
    } else {
      tasks_.log(task.id, "Retrying task " + task.id.text());
      tasks_.update(task.id, [&](Task& t) {
        t.state = back;
        ++t.attempts;
      });
    }
  }
}

// The last stage first: a task goes on by one stage at a time, as between 0G's separate pollers, so
// that every state can be seen and a task can be cancelled before it is trained.
void Worker::tick() {
  stage(State::kUserAcknowledged, State::kUserAcknowledged, State::kUserAcknowledged, kAttempts,
        [&](auto& t) { settle(t, true); });
  stage(State::kDelivered, State::kDelivered, State::kDelivered, kAttempts,
        [&](auto& t) { follow(t); });
  stage(State::kTrained, State::kDelivering, State::kTrained, kAttempts,
        [&](auto& t) { deliver(t); });
  stage(State::kSetUp, State::kTraining, State::kSetUp, 1, [&](auto& t) { train(t); });
  stage(State::kInit, State::kSettingUp, State::kInit, kAttempts, [&](auto& t) { set_up(t); });
}

Bytes Worker::find_dataset(const Task& task) {
  fs::path uploaded = dataset_path(options_, task.user, task.dataset_hash);
  if (fs::exists(uploaded)) return read_file(uploaded, compute::kMaxUpload);
  try {
    storage::Client client(options_.storage);
    return client.download(h256_from_hex(task.dataset_hash), compute::kMaxUpload);
  } catch (const Error& e) {
    throw Error(ErrorCode::kFailed,
                "dataset sources failed - config: none, uploaded: none, 0G Storage: " +
                    std::string(e.what()));
  }
}

compute::TrainingRows Worker::convert(const Task& task, ByteView data) const {
  bool uploaded = fs::exists(dataset_path(options_, task.user, task.dataset_hash));
  return compute::training_rows(
      as_text(data), uploaded ? compute::DatasetWay::kUpload : compute::DatasetWay::kStorage,
      "dataset");
}

void Worker::check_account(const Task& task, const evm::U256& fee) {
  auto account = chain_.account(task.user, address());
  if (!account) throw Hopeless("account does not exist");
  if (account->free() < fee) {
    throw Error(ErrorCode::kFailed, "insufficient account balance after pending refund: required " +
                                        fee.to_string() + ", available " +
                                        account->free().to_string());
  }
  if (task.nonce <= account->nonce) {
    throw Error(ErrorCode::kFailed, "invalid nonce: expected " + account->nonce.to_string() +
                                        ", got " + task.nonce.to_string());
  }
}

void Worker::set_up(const Task& task) {
  tasks_.log(task.id, "creating task....");
  crypto::PublicKey key;
  try {
    key = compute::message_signer(
        compute::create_task_message(task.user, task.nonce, task.dataset_hash),
        compute::parse_signature(from_hex(task.signature)));
    if (crypto::address_of(key) != task.user) throw Hopeless("signature error");
  } catch (const Error&) {
    throw Hopeless("signature error");
  }
  Bytes data = find_dataset(task);
  compute::TrainingRows rows = convert(task, data);
  uint64_t tokens = compute::count_tokens(
      rows.rows, [&](std::string_view text) { return trainer_.tokens(text); });
  const compute::BaseModel* model = compute::find_base_model(task.base_model_hash);
  if (!model) throw Hopeless("all model sources failed - unknown model");
  evm::U256 fee =
      compute::task_fee(tokens, options_.price_per_token, task.params.num_train_epochs, *model);
  check_account(task, fee);
  fs::create_directories(task_dir(options_, task.id));
  write_file_atomic(task_dir(options_, task.id) / "data.jsonl", data, 0600);
  tasks_.update(task.id, [&](Task& t) {
    t.user_key = key;
    t.fee = fee;
  });
  tasks_.log(task.id, "Training model for setup task " + task.id.text() + " successfully");
  tasks_.set_state(task.id, State::kSetUp);
}

void Worker::train(const Task& task) {
  if (options_.has(Fault::kTrainingFails)) throw Hopeless("=== Container Failed ===");
  Bytes data = read_file(task_dir(options_, task.id) / "data.jsonl");
  compute::TrainingRows rows = convert(task, data);
  std::string output;
  fs::path model = task_dir(options_, task.id) / "output_model";
  fs::remove_all(model);
  trainer_.train(rows.rows, task.params, model, [&](const std::string& line) {
    if (stopping_) throw Error(ErrorCode::kInterrupted, "the provider stops");
    output += line + "\n";
  });
  // The whole output of the trainer comes at its end.
  tasks_.log(task.id, "Container logs:\n" + output);
  tasks_.log(task.id, "Training model for executor task " + task.id.text() + " successfully");
  tasks_.set_state(task.id, State::kTrained);
}

// What of the file the user gets is wrong.
void Worker::spoil(const fs::path& file) const {
  Bytes bytes = read_file(file);
  if (options_.has(Fault::kTruncated)) bytes.resize(bytes.size() - 100);
  if (options_.has(Fault::kFlippedBit)) bytes[bytes.size() / 2] ^= 1;
  write_file_atomic(file, bytes);
}

Bytes Worker::model_root(const fs::path& file) {
  H256 root;
  if (options_.root == RootKind::kKeccak) {
    root = crypto::keccak256(ByteView(read_file(file)));
  } else {
    storage::Client client(options_.storage);
    root = client.upload(file, sender_).root;
  }
  if (options_.has(Fault::kWrongRoot)) root[0] ^= 1;
  if (options_.root == RootKind::kStorageText) {
    std::string text = to_hex0x(root.bytes);
    return {text.begin(), text.end()};
  }
  return {root.begin(), root.end()};
}

void Worker::deliver(const Task& task) {
  if (options_.has(Fault::kRegress) && !std::exchange(delivery_failed_once_, true)) {
    throw Error(ErrorCode::kFailed, "the delivery fails once, as it was told to");
  }
  fs::path zip = task_dir(options_, task.id) / "output_model.zip";
  fs::path file = encrypted_path(options_, task.id);
  compute::zip_folder(task_dir(options_, task.id) / "output_model", "output_model", zip);
  Bytes key(32);
  FixedBytes<12> nonce;
  crypto::random_bytes(key);
  crypto::random_bytes(nonce.bytes);
  crypto::PrivateKey stranger = crypto::PrivateKey::generate();
  compute::seal_deliverable(zip, file, key, nonce,
                            options_.has(Fault::kWrongSigner) ? stranger : tee_,
                            options_.chunk == 0 ? compute::kDeliverableChunk : options_.chunk);
  Bytes root = model_root(file);
  if (options_.has(Fault::kTruncated) || options_.has(Fault::kFlippedBit)) spoil(file);
  chain_.add_deliverable(sender_, task.user, task.id.text(), root);
  tasks_.update(task.id, [&](Task& t) {
    t.file_key = key;
    t.model_root = root;
    t.deliver_time = now();
  });
  if (options_.has(Fault::kRotateSigner)) {
    register_service(url_, stranger.address());
  }
  tasks_.log(task.id, "Training model for finalizer task " + task.id.text() + " successfully");
  tasks_.set_state(task.id, State::kDelivered);
  if (options_.has(Fault::kForceSettle)) settle(*tasks_.find(task.id), false);
}

void Worker::follow(const Task& task) {
  auto deliverable = chain_.deliverable(task.user, address(), task.id.text());
  if (!deliverable) throw Error(ErrorCode::kFailed, "the deliverable is not on the chain");
  if (deliverable->acknowledged) return tasks_.set_state(task.id, State::kUserAcknowledged);
  uint64_t window = std::min(options_.acknowledge_within, chain_.lock_time() / 2);
  if (now() >= deliverable->timestamp + window) settle(task, false);
}

void Worker::settle(const Task& task, bool acknowledged) {
  compute::Settlement s;
  s.id = task.id.text();
  s.model_root_hash = task.model_root;
  s.nonce = task.nonce;
  s.task_fee = task.fee;
  s.user = task.user;
  if (acknowledged) {
    crypto::PublicKey to = options_.has(Fault::kWrongKey)
                               ? crypto::PrivateKey::generate().public_key()
                               : *task.user_key;
    s.encrypted_secret = compute::wrap_model_key(to, task.file_key);
  }
  chain_.settle(sender_, s,
                tee_.sign(compute::settlement_digest(rpc_.chain_id(), chain_.address(), s)));
  tasks_.log(task.id, "Settle task " + task.id.text() + " successfully");
  tasks_.set_state(task.id, State::kFinished);
}

}  // namespace ffe::provider
