#include "inference/proxy.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <thread>

#include "inference/sse.hpp"

namespace ffe::inference {
namespace {

constexpr size_t kMaxBody = size_t{4} << 20;

net::HttpServerOptions server_options(int port) {
  net::HttpServerOptions out;
  out.port = port;
  out.max_body = kMaxBody;
  out.threads = 32;
  return out;
}

// Whatever went wrong, in OpenAI's form.
Refusal as_refusal(const Error& e) {
  if (const auto* refusal = dynamic_cast<const Refusal*>(&e)) return *refusal;
  switch (e.code()) {
    case ErrorCode::kBadInput:
    case ErrorCode::kUsage:
      return {400, "bad_request", e.what(), e.hint()};
    case ErrorCode::kAttestation:
    case ErrorCode::kCorrupt:
      return {502, "not_proven", e.what(), e.hint()};
    default:
      return {502, error_name(e.code()), e.what(), e.hint()};
  }
}

net::ServerResponse json_response(const Json& body, int status = 200) {
  net::ServerResponse out;
  out.status = status;
  out.body = body.dump();
  return out;
}

net::ServerResponse refused(const Refusal& refusal) {
  net::ServerResponse out = json_response(to_json(refusal), refusal.status());
  if (refusal.retry_after() > 0) {
    out.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after()));
  }
  return out;
}

// A name that leads here although it is not this machine's is a web page's trick to get at what
// listens on loopback.
bool names_this_machine(std::string host) {
  const size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) host.resize(colon);
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

// An answer on its way from the line's thread to the local client's.
class Relay {
 public:
  Relay(EnclaveLine& line, const Json& request)
      : thread_([this, &line, request] { run(line, request); }) {}
  ~Relay() {
    {
      std::lock_guard lock(mutex_);
      unwanted_ = true;
    }
    thread_.join();
  }

  // The next chunk; nothing after the last one, once the answer was proven, or after so long.
  // Throws what the line threw.
  std::optional<Json> next(std::chrono::milliseconds wait) {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, wait, [&] { return !chunks_.empty() || over_; });
    if (!chunks_.empty()) {
      Json chunk = std::move(chunks_.front());
      chunks_.pop_front();
      return chunk;
    }
    if (over_ && failure_) std::rethrow_exception(failure_);
    return std::nullopt;
  }
  bool over() const {
    std::lock_guard lock(mutex_);
    return over_ && chunks_.empty() && !failure_;
  }
  void wait_for_first() {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return !chunks_.empty() || over_; });
    if (chunks_.empty() && failure_) std::rethrow_exception(failure_);
  }

 private:
  void run(EnclaveLine& line, const Json& request) {
    std::exception_ptr failure;
    try {
      line.stream(request, [&](const Json& chunk) {
        std::lock_guard lock(mutex_);
        chunks_.push_back(chunk);
        news_.notify_one();
        return !unwanted_;
      });
    } catch (...) {
      failure = std::current_exception();
    }
    std::lock_guard lock(mutex_);
    failure_ = failure;
    over_ = true;
    news_.notify_one();
  }

  mutable std::mutex mutex_;
  std::condition_variable news_;
  std::deque<Json> chunks_;
  std::exception_ptr failure_;
  bool over_ = false;
  bool unwanted_ = false;
  std::thread thread_;
};

void pass_on(Relay& relay, net::ServerStream& out) {
  try {
    while (!relay.over()) {
      const std::optional<Json> chunk = relay.next(std::chrono::milliseconds(100));
      if (out.abandoned()) return;
      if (chunk && !out.write(sse_event(chunk->dump()))) return;
    }
    out.write(sse_event(kStreamEnd));
  } catch (const Error& e) {
    // Without [DONE]: a client that waits for it knows that the answer is not whole.
    out.write(sse_event(to_json(as_refusal(e)).dump()));
  }
}

}  // namespace

Proxy::Proxy(EnclaveLine& line, const ProxyOptions& options)
    : line_(line), key_(options.key), server_(server_options(options.port)) {
  server_.handle("GET", "/v1/models", guarded([this](const auto&) { return models(); }));
  server_.handle("GET", "/v1/models/" + line.model(), guarded([this](const auto&) {
                   return json_response(Json::parse(models().body).at("data").at(0));
                 }));
  server_.handle("POST", "/v1/chat/completions",
                 guarded([this](const auto& r) { return chat(r); }));
  server_.start();
}

Proxy::~Proxy() {
  server_.stop();
}

net::HttpServer::Handler Proxy::guarded(net::HttpServer::Handler handler) const {
  return [this, handler](const net::ServerRequest& request) {
    try {
      admit(request);
      return handler(request);
    } catch (const Error& e) {
      return refused(as_refusal(e));
    }
  };
}

void Proxy::admit(const net::ServerRequest& request) const {
  const auto header = [&](const char* name) {
    const auto it = request.headers.find(name);
    return it == request.headers.end() ? std::string() : it->second;
  };
  if (!names_this_machine(header("host"))) {
    throw Refusal(403, "not_local", "this proxy answers to 127.0.0.1 and localhost only");
  }
  const std::string given = header("authorization"), wanted = "Bearer " + key_;
  if (!equal_constant_time(as_bytes(given), as_bytes(wanted))) {
    throw Refusal(401, "invalid_api_key", "the API key is not the one that `ffe proxy` printed");
  }
}

// The one model, whether or not its key is in the enclave now: it is sent when it is needed.
net::ServerResponse Proxy::models() {
  const Json model = {
      {"id", line_.model()}, {"object", "model"}, {"created", 0u}, {"owned_by", "ffe"}};
  return json_response({{"object", "list"}, {"data", {model}}});
}

net::ServerResponse Proxy::chat(const net::ServerRequest& request) {
  const Json body = parse_json(request.body, "request");
  if (!body.is_object()) throw Refusal(400, "bad_request", "the request is not an object");
  if (body.contains("model") && body["model"] != line_.model()) {
    throw Refusal(404, "model_not_found", "this proxy has one model: " + line_.model());
  }
  const Json stream = body.value("stream", Json(false));
  if (!stream.is_boolean() && !stream.is_null()) {
    throw Refusal(400, "bad_request", "stream must be true or false");
  }
  if (stream == true) return streamed(body);
  return json_response(line_.chat(body).body);
}

// Errors before the first chunk have a status; later ones are an event.
net::ServerResponse Proxy::streamed(const Json& request) {
  auto relay = std::make_shared<Relay>(line_, request);
  relay->wait_for_first();
  net::ServerResponse out;
  out.content_type = "text/event-stream";
  out.headers = {{"Cache-Control", "no-store"}};
  out.stream = [relay](net::ServerStream& stream) { pass_on(*relay, stream); };
  return out;
}

}  // namespace ffe::inference
