#include "provider/broker.hpp"

#include <chrono>
#include <thread>

#include "base/hex.hpp"
#include "compute/adapter_name.hpp"
#include "compute/base_models.hpp"
#include "compute/session_token.hpp"
#include "crypto/random.hpp"
#include "lm/adapter_file.hpp"
#include "provider/reply.hpp"
#include "provider/worker.hpp"

namespace ffe::provider {
namespace {

using net::ServerRequest;
using net::ServerResponse;

constexpr size_t kMaxTokens = 256;
constexpr std::chrono::milliseconds kSlow{3000};

ServerResponse refusal(const Refusal& e) {
  ServerResponse out = json(e.status, {{"error", e.what()}});
  if (e.status == 429 || e.status == 503) out.headers.emplace_back("Retry-After", "1");
  return out;
}

std::vector<lm::Message> messages_of(const Json& request) {
  std::vector<lm::Message> out;
  for (const Json& m : json_member(request, "messages", "request")) {
    out.push_back({json_string(m, "role", "message"), json_string(m, "content", "message")});
  }
  return out;
}

std::string base_model_name(const Task& task) {
  const compute::BaseModel* model = compute::find_base_model(task.base_model_hash);
  return model ? std::string(model->name) : task.base_model_hash;
}

std::string event(const std::string& data) {
  return "data: " + data + "\n\n";
}

}  // namespace

struct Broker::Reply {
  std::string key;  // what its signature is asked for by
  std::string model;
  std::vector<int32_t> prompt;
  lm::SamplingOptions sampling;
  std::shared_ptr<const lm::LoraAdapter> adapter;
  H256 request_hash;                             // of a plain request
  std::unique_ptr<e2ee::ResponseSealer> sealer;  // of a sealed one

  Json head(const char* object) const {
    return {{"id", "chatcmpl-" + key},
            {"object", object},
            {"created", compute::now_ms() / 1000},
            {"model", model}};
  }
};

Broker::Broker(const ProviderOptions& options, const crypto::PrivateKey& key, const TaskList& tasks,
               const crypto::X25519KeyPair& enc)
    : options_(options),
      tasks_(tasks),
      enc_(enc),
      tee_(mock_tee_key()),
      rpc_(options.rpc_url, compute::rpc_options()),
      sender_(rpc_, key),
      chain_(rpc_, options.inference),
      model_(lm::ModelFile::open(options.model)),
      tokenizer_(lm::Tokenizer::from(model_)),
      template_(lm::ChatTemplate::from(model_, tokenizer_)) {}

void Broker::offer(const std::string& url) {
  const bool known = chain_.service(sender_.address()).has_value();
  chain_.offer(
      sender_,
      {url, options_.inference_model, evm::U256(1'000'000), evm::U256(2'000'000),
       R"({"ProviderType":"decentralized","TEEVerifier":"dstack","TargetSeparated":false})",
       tee_.address()},
      known ? evm::U256() : evm::parse_ether("100"));
}

void Broker::add_routes(net::HttpServer& server) {
  auto guarded = [](auto handler) {
    return [handler](const ServerRequest& request) {
      try {
        return handler(request);
      } catch (const Refusal& e) {
        return refusal(e);
      } catch (const Error& e) {
        return json(400, {{"error", e.what()}});
      }
    };
  };
  server.handle("GET", "/v1/e2ee/pubkey", guarded([this](const auto&) { return pubkey(); }));
  server.handle("POST", "/v1/proxy/chat/completions",
                guarded([this](const auto& r) { return chat(r); }));
  server.handle_regex("GET", "/v1/proxy/signature/([A-Za-z0-9-]{1,100})",
                      guarded([this](const auto& r) { return signature(r); }));
  server.handle("GET", "/v1/lora/adapters", guarded([this](const auto&) { return adapters(); }));
  server.handle("POST", "/v1/lora/adapters/deploy",
                guarded([this](const auto& r) { return deploy(r); }));
  server.handle_regex("GET", "/v1/lora/adapters/([A-Za-z0-9-]{1,200})",
                      guarded([this](const auto& r) { return adapter(r); }));
}

bool Broker::strikes(Fault fault, unsigned times) {
  if (!options_.has(fault)) return false;
  std::lock_guard lock(mutex_);
  return struck_[fault]++ < times;
}

ServerResponse Broker::pubkey() const {
  return json(200, e2ee::to_json(e2ee::Recipient{enc_.public_key, tee_.address()}));
}

// Whose token it is; and that he has an account which did not revoke it.
Address Broker::user_of(const ServerRequest& request) {
  auto header = request.headers.find("authorization");
  if (header == request.headers.end()) throw Refusal(401, "missing session token");
  compute::SessionToken token;
  try {
    token = compute::parse_authorization(header->second);
    compute::check_token(token, sender_.address(), compute::now_ms());
  } catch (const Error& e) {
    throw Refusal(401, std::string("invalid session token: ") + e.what());
  }
  auto account = chain_.account(token.user, sender_.address());
  if (!account) throw Refusal(400, "get account: AccountNotExists");
  if (token.generation < account->generation || account->revokes(token.token_id)) {
    throw Refusal(401, "session token has been revoked");
  }
  if (account->free().is_zero()) throw Refusal(402, "insufficient balance");
  return token.user;
}

// --- adapters -------------------------------------------------------------------------------

std::vector<Broker::Adapter> Broker::finished() const {
  std::vector<Adapter> out;
  for (State state : {State::kUserAcknowledged, State::kFinished}) {
    for (const Task& task : tasks_.in(state)) {
      if (std::filesystem::exists(adapter_path(options_, task.id))) {
        out.push_back({compute::adapter_name(base_model_name(task), task.id), task});
      }
    }
  }
  return out;
}

Json Broker::adapter_json(const Adapter& a) const {
  std::lock_guard lock(mutex_);
  return {{"adapterName", a.name},
          {"taskId", a.task.id.text()},
          {"baseModel", base_model_name(a.task)},
          {"userAddress", crypto::checksum_address(a.task.user)},
          {"state", active_.contains(a.name) ? "active" : "ready"}};
}

ServerResponse Broker::adapters() const {
  Json list = Json::array();
  for (const Adapter& a : finished()) list.push_back(adapter_json(a));
  return json(200, {{"adapters", list}});
}

ServerResponse Broker::adapter(const ServerRequest& request) const {
  for (const Adapter& a : finished()) {
    if (a.name == request.captures.at(0)) return json(200, adapter_json(a));
  }
  throw Refusal(404, "adapter not found");
}

ServerResponse Broker::deploy(const ServerRequest& request) {
  const Json body = parse_json(request.body, "request", {.max_bytes = 1u << 16});
  const std::string name = body.value("adapterName", ""), task = body.value("taskId", "");
  for (const Adapter& a : finished()) {
    if (a.name != name && a.task.id.text() != task) continue;
    std::lock_guard lock(mutex_);
    active_.insert(a.name);
    return json(200,
                {{"message", "Adapter " + a.name + " is being deployed"}, {"adapterName", a.name}});
  }
  throw Refusal(404, "adapter not found");
}

// Null for the base model.
std::shared_ptr<const lm::LoraAdapter> Broker::adapter_for(const std::string& model,
                                                           const Address& user) {
  if (model == options_.inference_model) return nullptr;
  for (const Adapter& a : finished()) {
    if (a.name != model) continue;
    if (a.task.user != user) throw Refusal(403, "adapter belongs to another user");
    std::lock_guard lock(mutex_);
    if (!active_.contains(a.name)) throw Refusal(409, "adapter is not deployed");
    return std::make_shared<const lm::LoraAdapter>(
        lm::read_peft_folder(adapter_path(options_, a.task.id), model_.config()));
  }
  throw Refusal(404, "model " + model + " not found");
}

// --- answers --------------------------------------------------------------------------------

ServerResponse Broker::chat(const ServerRequest& request) {
  if (strikes(Fault::kLimitedAnswers, 2)) throw Refusal(429, "Too many requests");
  if (strikes(Fault::kBusyAnswers, 2)) throw Refusal(503, "the model is loading");
  if (strikes(Fault::kSlowAnswers, 1)) std::this_thread::sleep_for(kSlow);
  const Address user = user_of(request);
  Json body = parse_json(request.body, "request", {.max_bytes = 4u << 20});
  auto reply = std::make_shared<Reply>();
  if (body.is_object() && body.contains("_e2ee")) {
    e2ee::OpenedRequest opened = e2ee::open_request(body, enc_, tee_.address());
    reply->sealer = std::make_unique<e2ee::ResponseSealer>(opened);
    body = std::move(opened.request);
  } else {
    reply->request_hash = e2ee::plain_hash(body);
  }
  FixedBytes<16> random;
  crypto::random_bytes(random.bytes);
  reply->key = to_hex(random.bytes);
  reply->model = json_string(body, "model", "request");
  reply->adapter = adapter_for(reply->model, user);
  reply->prompt = template_.encode_chat(messages_of(body), true, false).tokens;
  reply->sampling.max_new_tokens =
      std::min<size_t>(body.value("max_tokens", size_t{32}), kMaxTokens);
  reply->sampling.stop_tokens = template_.stop_tokens();
  ServerResponse out;
  out.headers.emplace_back("ZG-Res-Key", reply->key);
  if (body.value("stream", false)) {
    if (!reply->sealer) throw Refusal(400, "streams are answered to sealed requests only");
    out.content_type = "text/event-stream";
    out.stream = [this, reply](net::ServerStream& stream) { streamed(*reply, stream); };
  } else {
    whole(*reply, out);
  }
  return out;
}

lm::Answer Broker::generate(const Reply& reply, const lm::OnText& on_text) {
  std::lock_guard lock(engine_mutex_);
  if (!engine_)
    engine_ = std::make_unique<lm::Engine>(model_, lm::EngineOptions{.threads = options_.threads});
  lm::Generator generator(*engine_, reply.adapter.get());
  return lm::generate_text(generator, tokenizer_, reply.prompt, reply.sampling, {}, on_text);
}

void Broker::whole(Reply& reply, ServerResponse& out) {
  const lm::Answer answer = generate(reply, {});
  Json body = reply.head("chat.completion");
  body["choices"] = Json::array(
      {{{"index", 0},
        {"message", {{"role", "assistant"}, {"content", answer.text}}},
        {"finish_reason", answer.end == lm::AnswerEnd::kStopToken ? "stop" : "length"}}});
  body["usage"] = {{"prompt_tokens", answer.prompt_tokens},
                   {"completion_tokens", answer.tokens},
                   {"total_tokens", answer.prompt_tokens + answer.tokens}};
  if (options_.has(Fault::kSwappedModel)) body["model"] = "another-model";
  if (reply.sealer) {
    body = reply.sealer->seal(body, true);
    sign(reply, reply.sealer->proof(false));
  } else {
    sign(reply, e2ee::proof_text(e2ee::Scheme::kPlain, reply.request_hash, e2ee::plain_hash(body)));
  }
  out.body = body.dump();
}

void Broker::streamed(Reply& reply, net::ServerStream& out) {
  auto chunk = [&](const Json& delta, const Json& finish, bool final) {
    Json body = reply.head("chat.completion.chunk");
    body["choices"] = Json::array({{{"index", 0}, {"delta", delta}, {"finish_reason", finish}}});
    if (options_.has(Fault::kSwappedModel)) body["model"] = "another-model";
    return out.write(event(reply.sealer->seal(body, final).dump()));
  };
  chunk({{"role", "assistant"}, {"content", ""}}, nullptr, false);
  const lm::Answer answer = generate(reply, [&](std::string_view text) {
    return chunk({{"content", std::string(text)}}, nullptr, false);
  });
  if (options_.has(Fault::kCutStream) || answer.end == lm::AnswerEnd::kCallback) {
    throw Error(ErrorCode::kFailed, "the stream is cut");
  }
  chunk(Json::object(), answer.end == lm::AnswerEnd::kStopToken ? "stop" : "length", true);
  sign(reply, reply.sealer->proof(true));
  out.write(event("[DONE]"));
}

void Broker::sign(const Reply& reply, const std::string& text) {
  const crypto::PrivateKey stranger = crypto::PrivateKey::generate();
  const crypto::PrivateKey& key = options_.has(Fault::kWrongAnswerSigner) ? stranger : tee_;
  std::string about = text;
  if (options_.has(Fault::kOtherProof)) about.back() = about.back() == '0' ? '1' : '0';
  std::lock_guard lock(mutex_);
  signatures_[reply.key] = {{"text", about},
                            {"signature", to_hex0x(e2ee::sign_proof(key, about).bytes)},
                            {"signing_address", crypto::checksum_address(tee_.address())},
                            {"signing_algo", "ecdsa"}};
}

ServerResponse Broker::signature(const ServerRequest& request) {
  if (options_.has(Fault::kUnsignedAnswers) || strikes(Fault::kLateSignatures, 2)) {
    throw Refusal(404, "signature not found");
  }
  std::lock_guard lock(mutex_);
  auto it = signatures_.find(request.captures.at(0));
  if (it == signatures_.end()) throw Refusal(404, "signature not found");
  return json(200, it->second);
}

}  // namespace ffe::provider
