#include "provider/provider.hpp"

#include <atomic>
#include <ctime>
#include <fstream>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "compute/base_models.hpp"
#include "compute/dataset.hpp"
#include "compute/quote.hpp"
#include "compute/request.hpp"
#include "crypto/keccak.hpp"
#include "crypto/x25519.hpp"
#include "net/http_server.hpp"
#include "provider/broker.hpp"
#include "provider/limiter.hpp"
#include "provider/reply.hpp"
#include "provider/worker.hpp"

namespace ffe::provider {
namespace {

namespace fs = std::filesystem;
using net::ServerRequest;
using net::ServerResponse;

constexpr uint64_t kLocalChain = 31337;
constexpr size_t kBodyMargin = size_t{1} << 20;  // of an upload, beside the file
constexpr const char* kUser = "/v1/user/(0x[0-9a-fA-F]{40})";

ServerResponse text(std::string body) {
  ServerResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

uint64_t now() {
  return static_cast<uint64_t>(std::time(nullptr));
}

std::string required(const Json& body, const char* name) {
  auto it = body.find(name);
  if (it == body.end() || !it->is_string() || it->get_ref<const std::string&>().empty()) {
    throw Refusal(400, "Key: 'Task." + std::string(name) + "' Error: required");
  }
  return *it;
}

bool signed_by(const Address& user, const H256& message, const std::string& signature) {
  try {
    return crypto::address_of(compute::message_signer(
               message, compute::parse_signature(from_hex(signature)))) == user;
  } catch (const Error&) {
    return false;
  }
}

// "bytes=N-": the only form that is served. 0 for anything else.
uint64_t range_start(const ServerRequest& request) {
  auto it = request.headers.find("range");
  if (it == request.headers.end()) return 0;
  std::string_view value = it->second;
  if (!value.starts_with("bytes=") || !value.ends_with('-')) return 0;
  value = value.substr(6, value.size() - 7);
  if (value.empty() || value.size() > 18 ||
      value.find_first_not_of("0123456789") != std::string_view::npos) {
    return 0;
  }
  return std::stoull(std::string(value));
}

// Every non-blank line must be a JSON object; nothing else is looked at.
void check_jsonl(std::string_view data) {
  for (size_t line = 1; !data.empty(); ++line) {
    std::string_view one = data.substr(0, data.find('\n'));
    data.remove_prefix(std::min(data.size(), one.size() + 1));
    if (one.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Json row = Json::parse(one, nullptr, false);
    if (!row.is_object()) {
      throw Refusal(400,
                    "invalid JSONL format: line " + std::to_string(line) + " is not valid JSON");
    }
  }
}

}  // namespace

class Provider::Impl {
 public:
  Impl(ProviderOptions options, const crypto::PrivateKey& key)
      : options_(std::move(options)),
        worker_(options_, key, tasks_),
        limiter_(options_.requests_per_second, options_.burst),
        enc_(crypto::X25519KeyPair::generate()),
        server_(server_options(options_)) {
    fs::create_directories(options_.dir);
    fs::permissions(options_.dir, fs::perms::owner_all);
    routes();
    if (!options_.inference.is_zero()) {
      broker_ = std::make_unique<Broker>(options_, key, tasks_, enc_);
      broker_->add_routes(server_);
    }
  }
  ~Impl() { stop(); }

  void start() {
    evm::RpcClient rpc(options_.rpc_url);
    if (rpc.chain_id() != kLocalChain) {
      throw Error(ErrorCode::kUsage,
                  "the provider's emulator runs on local networks only (chain 31337)",
                  "it has no TEE: nobody's data would be protected");
    }
    server_.start();
    url_ = server_.url();
    if (broker_) broker_->offer(url_);
    worker_.start(url_);
  }
  void stop() {
    server_.stop();
    worker_.stop();
  }
  const std::string& url() const { return url_; }
  const Address& address() const { return worker_.address(); }

 private:
  static net::HttpServerOptions server_options(const ProviderOptions& options) {
    net::HttpServerOptions out;
    out.host = options.host;
    out.port = options.port;
    out.max_body = compute::kMaxUpload + kBodyMargin;
    return out;
  }

  void on(const char* method, const std::string& pattern,
          ServerResponse (Impl::*handler)(const ServerRequest&), bool limited = false) {
    server_.handle_regex(method, pattern, [this, handler, limited](const ServerRequest& request) {
      try {
        if (limited && !limiter_.allow(request.remote)) too_many();
        return (this->*handler)(request);
      } catch (const Refusal& e) {
        return json(e.status, {{"error", e.what()}});
      } catch (const Error& e) {
        return json(400, {{"error", e.what()}});
      }
    });
  }

  void routes() {
    std::string user = kUser, task = user + "/task/([^/]+)";
    on("POST", user + "/task", &Impl::create);
    on("GET", user + "/task", &Impl::list);
    on("GET", task, &Impl::show);
    on("GET", task + "/log", &Impl::show_log);
    on("POST", task + "/cancel", &Impl::cancel);
    on("POST", task + "/lora", &Impl::lora, true);
    on("POST", user + "/dataset", &Impl::dataset, true);
    on("GET", "/v1/task/pending", &Impl::pending);
    on("GET", "/v1/quote", &Impl::quote, true);
    on("GET", "/v1/model", &Impl::models);
    on("GET", "/v1/model/(?:desc/)?([^/]+)", &Impl::model);
  }

  [[noreturn]] static void too_many() {
    throw Refusal(429, "Too many requests. Please try again later.");
  }

  static Address user_of(const ServerRequest& request) {
    return crypto::parse_address(request.captures.at(0));
  }

  static compute::TaskId id_of(const ServerRequest& request) {
    try {
      return compute::TaskId::parse(request.captures.at(1));
    } catch (const Error&) {
      throw Refusal(400, "invalid UUID");
    }
  }

  // The task of the URL, if it is this user's.
  Task task_of(const ServerRequest& request) const {
    std::optional<Task> task = tasks_.find(id_of(request));
    if (!task) throw Refusal(404, "task not found");
    if (task->user != user_of(request)) throw Refusal(403, "task belongs to another user");
    return *task;
  }

  // Whether this fault, of the first `times` requests, happens to this one.
  bool strikes(Fault fault, std::atomic<unsigned>& count, unsigned times) const {
    return options_.has(fault) && count++ < times;
  }

  ServerResponse create(const ServerRequest& request) {
    Json body = parse_json(request.body, "request", {.max_bytes = 1u << 20});
    if (!body.is_object()) throw Refusal(400, "not a JSON object");
    Task task;
    task.id = compute::TaskId::random();
    task.user = crypto::parse_address(required(body, "userAddress"));
    if (task.user != user_of(request)) throw Refusal(400, "user address mismatch");
    task.base_model_hash = required(body, "preTrainedModelHash");
    task.dataset_hash = required(body, "datasetHash");
    if (from_hex(task.dataset_hash).size() != 32) throw Refusal(400, "invalid datasetHash");
    task.params_text = required(body, "trainingParams");
    required(body, "fee");
    task.nonce = evm::U256::parse(required(body, "nonce"));
    task.signature = required(body, "signature");
    task.wait = body.contains("wait") && body["wait"].is_boolean() && body["wait"].get<bool>();
    task.params = compute::parse_training_params(task.params_text);
    if (!compute::find_base_model(task.base_model_hash)) {
      throw Refusal(400, "unsupported model: not found in predefined models");
    }
    check_account(task.user);
    compute::TaskId id = task.id;
    admit(std::move(task));
    if (strikes(Fault::kLostAnswer, lost_, 1)) return cut_off(201);
    return json(201, {{"id", id.text()}});
  }

  void check_account(const Address& user) {
    auto service = worker_.chain().service(worker_.address());
    if (!service || !service->tee_signer_acknowledged) {
      throw Refusal(400, "service TEE signer has not been acknowledged by 0G team");
    }
    auto account = worker_.chain().account(user, worker_.address());
    if (!account) throw Refusal(400, "get account: AccountNotExists");
    if (!account->acknowledged) {
      throw Refusal(400,
                    "user has not acknowledged the provider's TEE signer. User must acknowledge "
                    "before creating a task");
    }
  }

  void admit(Task task) {
    std::lock_guard lock(admission_);
    if (tasks_.user_has_open(task.user)) {
      throw Refusal(400, "cannot create a new task while there is an unfinished task");
    }
    size_t waiting = tasks_.waiting();
    if (waiting >= options_.max_queue) throw Refusal(409, "task queue is full");
    if (waiting != 0 && !task.wait) {
      throw Refusal(409, "cannot create a new task while there are in-progress tasks");
    }
    tasks_.add(std::move(task));
  }

  // An answer whose connection breaks before its end.
  static ServerResponse cut_off(int status) {
    ServerResponse response;
    response.status = status;
    response.stream = [](net::ServerStream&) { throw Error(ErrorCode::kFailed, "told to break"); };
    return response;
  }

  ServerResponse list(const ServerRequest& request) {
    std::vector<Task> tasks = tasks_.of(user_of(request));
    auto order = request.query.find("order");
    if (order == request.query.end() || order->second != "asc") {
      std::reverse(tasks.begin(), tasks.end());
    }
    if (auto latest = request.query.find("latest");
        latest != request.query.end() && latest->second == "true" && tasks.size() > 1) {
      tasks = {tasks_.of(user_of(request)).back()};
    }
    Json out = Json::array();
    for (const Task& task : tasks) out.push_back(to_json(task));
    return json(200, out);
  }

  ServerResponse show(const ServerRequest& request) { return json(200, to_json(task_of(request))); }

  ServerResponse show_log(const ServerRequest& request) { return text(task_of(request).log); }

  ServerResponse cancel(const ServerRequest& request) {
    Task task = task_of(request);
    Json body = parse_json(request.body, "request", {.max_bytes = 1u << 16});
    if (!signed_by(task.user, compute::cancel_task_message(task.id), required(body, "signature"))) {
      throw Refusal(401, "invalid signature");
    }
    bool cancelled = false;
    State state = task.state;
    tasks_.update(task.id, [&](Task& t) {
      state = t.state;
      cancelled = t.state <= State::kSetUp;
      if (cancelled) t.state = State::kFailed;
    });
    if (!cancelled) {
      throw Refusal(409, "task cannot be cancelled in its current state (" +
                             std::string(state_name(state)) + ")");
    }
    return text("task " + task.id.text() + " cancelled");
  }

  ServerResponse lora(const ServerRequest& request) {
    Task task = task_of(request);
    Json body = parse_json(request.body, "request", {.max_bytes = 1u << 16});
    uint64_t timestamp = json_uint(body, "timestamp", "request");
    if (!compute::timestamp_is_fresh(timestamp, now()) ||
        !signed_by(task.user, compute::download_message(task.id, timestamp),
                   required(body, "signature"))) {
      throw Refusal(401, "authentication failed: invalid signature or timestamp");
    }
    if (strikes(Fault::kLimited, limited_downloads_, 1)) too_many();
    if (strikes(Fault::kBusy, busy_, 2)) {
      throw Refusal(503, "encrypted LoRA not yet available. Please retry shortly");
    }
    if (task.state < State::kDelivered || task.state == State::kFailed) {
      throw Refusal(409, "task is not ready for download. Please wait for 'Delivered' status");
    }
    return send_file(request, encrypted_path(options_, task.id),
                     "lora_encrypted_" + task.id.text() + ".data");
  }

  ServerResponse send_file(const ServerRequest& request, const fs::path& file,
                           const std::string& name) {
    uint64_t size = fs::file_size(file);
    uint64_t from = options_.has(Fault::kNoRange) ? 0 : range_start(request);
    if (from >= size) throw Refusal(416, "invalid range: failed to overlap");
    uint64_t until = strikes(Fault::kDisconnect, broken_, 2) ? from + (size - from) / 2 : size;
    ServerResponse response;
    response.status = from == 0 ? 200 : 206;
    response.content_type = "application/octet-stream";
    response.headers = {{"Content-Disposition", "attachment; filename=" + name}};
    if (from != 0) {
      response.headers.emplace_back("Content-Range", "bytes " + std::to_string(from) + "-" +
                                                         std::to_string(size - 1) + "/" +
                                                         std::to_string(size));
    }
    response.stream = [file, from, until, size](net::ServerStream& out) {
      std::ifstream in(file, std::ios::binary);
      in.seekg(static_cast<std::streamoff>(from));
      std::string buffer(size_t{1} << 18, '\0');
      for (uint64_t at = from; at < until && in && out.open();) {
        in.read(buffer.data(),
                static_cast<std::streamsize>(std::min<uint64_t>(buffer.size(), until - at)));
        out.write({buffer.data(), static_cast<size_t>(in.gcount())});
        at += static_cast<uint64_t>(in.gcount());
      }
      if (until != size) throw Error(ErrorCode::kFailed, "told to break");
    };
    return response;
  }

  ServerResponse dataset(const ServerRequest& request) {
    Address user = user_of(request);
    auto part = [&](const char* name) -> const net::FormPart* {
      auto it = request.form.find(name);
      return it == request.form.end() ? nullptr : &it->second;
    };
    const net::FormPart *signature = part("signature"), *timestamp = part("timestamp"),
                        *file = part("file");
    if (!signature || !timestamp) throw Refusal(401, "missing signature or timestamp");
    const std::string& time = timestamp->content;
    if (time.empty() || time.size() > 12 ||
        time.find_first_not_of("0123456789") != std::string::npos) {
      throw Refusal(400, "Invalid timestamp format");
    }
    uint64_t when = std::stoull(time);
    if (!compute::timestamp_is_fresh(when, now()) ||
        !signed_by(user, compute::upload_dataset_message(request.captures.at(0), when),
                   signature->content)) {
      throw Refusal(401, "authentication failed: invalid signature or timestamp");
    }
    if (strikes(Fault::kLimited, limited_datasets_, 1)) too_many();
    if (!file) throw Refusal(400, "No file provided");
    if (file->content.size() > compute::kMaxUpload) {
      throw Refusal(400, "File too large. Maximum size is 100MB");
    }
    fs::path extension = fs::path(file->filename).extension();
    if (extension != ".jsonl" && extension != ".json") {
      throw Refusal(400, "Invalid file type. Only JSONL/JSON files are allowed");
    }
    check_jsonl(file->content);
    H256 hash = crypto::keccak256(file->content);
    fs::path target = dataset_path(options_, user, to_hex0x(hash.bytes));
    fs::create_directories(target.parent_path());
    write_file_atomic(target, as_bytes(file->content), 0600);
    if (options_.has(Fault::kWrongHash)) hash[0] ^= 1;
    return json(200, {{"datasetHash", to_hex0x(hash.bytes)},
                      {"message",
                       "Dataset uploaded successfully. Use this hash when creating a "
                       "fine-tuning task."}});
  }

  ServerResponse pending(const ServerRequest&) { return text(std::to_string(tasks_.waiting())); }

  ServerResponse quote(const ServerRequest& request) {
    bool legacy = options_.legacy_report_data;
    if (auto it = request.query.find("legacy"); it != request.query.end()) {
      legacy = it->second == "true";
    }
    Address signer = mock_tee_key().address();
    FixedBytes<64> report = legacy ? compute::legacy_report_data(signer)
                                   : compute::report_data_v1(enc_.public_key, signer);
    Json quote = {{"quote", "mock"},
                  {"event_log", "[]"},
                  {"report_data", to_base64(report.bytes)},
                  {"vm_config", "{}"},
                  {"tcb_info", "{}"}};
    return text(quote.dump());
  }

  ServerResponse models(const ServerRequest&) { return json(200, Json::array()); }

  ServerResponse model(const ServerRequest& request) {
    throw Refusal(400, "Model " + request.captures.at(0) + " not found");
  }

  ProviderOptions options_;
  TaskList tasks_;
  Worker worker_;
  Limiter limiter_;
  crypto::X25519KeyPair enc_;
  std::unique_ptr<Broker> broker_;  // outlives the server
  net::HttpServer server_;
  std::string url_;
  std::mutex admission_;
  std::atomic<unsigned> lost_ = 0, limited_downloads_ = 0, limited_datasets_ = 0, busy_ = 0,
                        broken_ = 0;
};

Provider::Provider(ProviderOptions options, const crypto::PrivateKey& key)
    : impl_(std::make_unique<Impl>(std::move(options), key)) {}
Provider::~Provider() = default;
void Provider::start() {
  impl_->start();
}
void Provider::stop() {
  impl_->stop();
}
const std::string& Provider::url() const {
  return impl_->url();
}
const Address& Provider::address() const {
  return impl_->address();
}

}  // namespace ffe::provider
