#include "inference/service.hpp"

#include <ctime>

#include "base/hex.hpp"
#include "base/log.hpp"
#include "compute/session_token.hpp"
#include "crypto/random.hpp"
#include "inference/sse.hpp"
#include "lm/parallel.hpp"
#include "session/artifact.hpp"
#include "session/reports.hpp"
#include "session/tar.hpp"

namespace ffe::inference {
namespace {

constexpr const char* kMember = "x_ffe";  // what of a request is FFE's own
constexpr size_t kMaxUsers = 100;         // as the token's contract
constexpr size_t kMaxSignatures = 8192;
constexpr int64_t kSignatureSeconds = 600;
constexpr size_t kPadTo = 128;                   // bytes of a frame's plaintext
constexpr std::chrono::milliseconds kLook{100};  // how often it is asked whether the peer is there
constexpr uint64_t kLeastAdapterRoom = uint64_t{8} << 20;

std::string random_id(const char* prefix) {
  FixedBytes<16> bytes;
  crypto::random_bytes(bytes.bytes);
  return prefix + to_hex(bytes.bytes);
}

net::ServerResponse json_response(const Json& body, int status = 200) {
  net::ServerResponse out;
  out.status = status;
  out.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return out;
}

net::ServerResponse with_retry(net::ServerResponse response, const Refusal& refusal) {
  if (refusal.retry_after() > 0) {
    response.headers.emplace_back("Retry-After", std::to_string(refusal.retry_after()));
  }
  return response;
}

// Texts of one length in tokens have many lengths in bytes; the length of a frame must not tell
// which words it holds. OpenAI has the same member for the same reason.
Json padded(Json body) {
  const size_t size = body.dump(-1, ' ', false, Json::error_handler_t::replace).size();
  body["obfuscation"] = std::string(kPadTo - size % kPadTo, ' ');
  return body;
}

// The errors of a request, as HTTP says them. What went wrong inside is for the log alone.
Refusal as_refusal(const std::exception& e) {
  if (const auto* refusal = dynamic_cast<const Refusal*>(&e)) return *refusal;
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    switch (error->code()) {
      case ErrorCode::kBadInput:
      case ErrorCode::kUsage:
      case ErrorCode::kUnsupported:
        return {400, "bad_request", error->what(), error->hint()};
      case ErrorCode::kNetwork:
        log::warn("sealed inference: {}", error->what());
        return {503, "busy", "0G Storage did not give the model", "try again in 10 s", 10};
      default:
        break;
    }
  }
  log::error("sealed inference: {}", e.what());
  return {500, "internal", "internal error"};
}

int serving_threads(int asked) {
  return asked > 0 ? asked : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
}

uint64_t adapter_room(const EnclaveParts& parts, const ServeOptions& o) {
  const uint64_t caches =
      o.max_streams * o.max_context * lm::BatchGenerator::kv_bytes_per_token(parts.model.config());
  if (o.memory_bytes < caches + kLeastAdapterRoom) {
    throw Error(ErrorCode::kUsage,
                "inference.memory_mb: " + std::to_string(o.max_streams) + " streams of " +
                    std::to_string(o.max_context) + " tokens need " +
                    std::to_string((caches + kLeastAdapterRoom) >> 20) +
                    " MiB on this model, adapters not counted",
                "grant more memory, or fewer streams or a shorter inference.max_context");
  }
  return o.memory_bytes - caches;
}

std::set<Address> users_of(const Json& body) {
  const Json& users = json_member(body, "users", "request");
  if (!users.is_array() || users.size() > kMaxUsers) {
    throw Refusal(400, "bad_request", "users is no list of at most 100 addresses");
  }
  std::set<Address> out;
  for (const Json& user : users) {
    if (!user.is_string()) throw Refusal(400, "bad_request", "users holds no address");
    out.insert(crypto::parse_address(user.get_ref<const std::string&>()));
  }
  return out;
}

ServeOptions checked(ServeOptions o, const EnclaveParts& parts) {
  lm::require_numeric(lm::generation_numeric_from_name(o.numeric, parts.model));
  o.max_context = std::min<size_t>(o.max_context, parts.model.config().max_position);
  o.max_tokens = std::min(o.max_tokens, o.max_context);
  return o;
}

}  // namespace

struct SealedService::Exchange {
  std::optional<e2ee::OpenedRequest> opened;
  Address user;
  Json body;  // without what is FFE's own
};

struct SealedService::Answer {
  AnswerHead head;
  ChatRequest request;
  Usage usage;
  e2ee::ResponseSealer sealer;
  std::unique_ptr<Quota::Lease> lease;
  std::unique_ptr<Scheduler::Stream> stream;
};

SealedService::SealedService(const EnclaveParts& parts, const ServeOptions& options)
    : parts_(parts),
      options_(checked(options, parts)),
      adapter_room_(adapter_room(parts_, options_)),
      book_(parts.look_up, options_.chain_cache_seconds),
      replays_(options_.window_seconds),
      quota_(options_.owner_streams, options_.owner_tokens_per_minute),
      shelf_(adapter_room_, options_.idle_seconds),
      scheduler_(
          [this] {
            lm::EngineOptions engine;
            engine.numeric = lm::generation_numeric_from_name(options_.numeric, parts_.model);
            engine.threads = serving_threads(options_.threads);
            return std::make_unique<lm::Engine>(parts_.model, engine);
          },
          options_.max_streams),
      janitor_thread_([this] { janitor(); }) {}

SealedService::~SealedService() {
  {
    std::lock_guard lock(janitor_mutex_);
    stopping_ = true;
    janitor_wake_.notify_one();
  }
  janitor_thread_.join();
}

// What nobody used for a while goes: first adapters, with the last of them the engine, whose caches
// have seen prompts, and the tokenizer's memory of words.
void SealedService::janitor() {
  std::unique_lock lock(janitor_mutex_);
  while (!janitor_wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; })) {
    const size_t gone = shelf_.wipe_idle();
    if (gone == 0) continue;
    log::info("sealed inference: {} idle model(s) wiped", gone);
    release_unused();
  }
}

void SealedService::release_unused() {
  const bool none_left = shelf_.size() == 0;
  scheduler_.release(none_left);
  if (none_left) parts_.tokenizer.forget_words();
}

void SealedService::add_routes(net::HttpServer& server) {
  server.handle("GET", "/v1/e2ee/pubkey", [this](const auto&) {
    Json out = e2ee::to_json({parts_.key.public_key, parts_.signer.address()});
    out.update(parts_.key_certificate());
    return json_response(out);
  });
  // Both where OpenAI's clients look and where 0G's do.
  for (const std::string base : {"/v1", "/v1/proxy"}) {
    server.handle("POST", base + "/chat/completions", sealed([this](auto& x) { return chat(x); }));
    server.handle("POST", base + "/models", sealed([this](auto& x) { return models(x); }));
    server.handle("GET", base + "/models", sealed([](auto&) -> net::ServerResponse {
                    throw Refusal(405, "method", "models are asked for with POST, sealed");
                  }));
    server.handle_regex("GET", base + "/signature/([0-9a-zA-Z_-]{1,80})",
                        [this](const auto& r) { return signature(r.captures.at(0)); });
  }
  server.handle("POST", "/v1/inference/load", sealed([this](auto& x) { return load(x); }));
  server.handle("POST", "/v1/inference/unload", sealed([this](auto& x) { return unload(x); }));
}

Json SealedService::facts() const {
  return {{"maxContext", options_.max_context},
          {"maxTokens", options_.max_tokens},
          {"tokensPerMinute", options_.owner_tokens_per_minute},
          {"idleSeconds", options_.idle_seconds}};
}

SealedService::Counts SealedService::counts() const {
  return {shelf_.size(), scheduler_.active(), tokens_, refused_};
}

// ------------------------------------------------------------------------------------- envelopes

net::HttpServer::Handler SealedService::sealed(Reply reply) {
  return [this, reply](const net::ServerRequest& request) {
    Exchange exchange;
    try {
      open(request, exchange);
      return reply(exchange);
    } catch (const std::exception& e) {
      ++refused_;
      return refusal(exchange, as_refusal(e));
    }
  };
}

// A refusal says what a request was about: once the request could be opened, only its sender reads
// it.
net::ServerResponse SealedService::refusal(const Exchange& exchange, const Refusal& refusal) {
  Json body = to_json(refusal);
  if (exchange.opened) {
    body = e2ee::ResponseSealer(*exchange.opened, parts_.signer).seal(padded(body), true);
  }
  return with_retry(json_response(body, refusal.status()), refusal);
}

void SealedService::open(const net::ServerRequest& request, Exchange& exchange) {
  Json envelope;
  if (!request.body.empty()) envelope = parse_json(request.body, "request");
  if (!envelope.is_object() || !envelope.contains("_e2ee")) {
    throw Refusal(400, "unsealed", "this enclave takes sealed requests only",
                  "use `ffe chat --sealed`, or `ffe proxy` in front of an OpenAI client; nothing "
                  "was answered, but what you sent was readable on its way");
  }
  try {
    exchange.opened = e2ee::open_request(envelope, parts_.key, parts_.signer.address());
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kKey) throw Refusal(409, reason::kStaleKey, e.what(), e.hint());
    throw Refusal(400, "bad_envelope", e.what());
  }
  const e2ee::OpenedRequest& opened = *exchange.opened;
  const auto& fields = opened.sealed_fields;
  if (!opened.unbound_fields.empty() ||
      std::find(fields.begin(), fields.end(), kMember) == fields.end()) {
    throw Refusal(400, "open_fields",
                  "the request leaves fields open that this enclave wants sealed",
                  "seal x_ffe, and leave nothing unbound; a token that was readable on its way is "
                  "spent: make another");
  }
  const Json& own = json_member(opened.request, kMember, "request");
  if (!own.is_object()) throw Refusal(400, "bad_request", "x_ffe is not an object");
  const uint64_t now = compute::now_ms();
  try {
    const compute::SessionToken token =
        compute::parse_authorization(json_string(own, "authorization", kMember));
    compute::check_token(token, parts_.signer.address(), now);
    if (token.token_id != compute::SessionToken::kEphemeral) {
      throw Error(ErrorCode::kKey, "the session token is not an ephemeral one");
    }
    exchange.user = token.user;
  } catch (const Error& e) {
    throw Refusal(401, reason::kToken, e.what(), e.hint());
  }
  replays_.admit(opened.hash, json_uint(own, "time", kMember), now);
  exchange.body = opened.request;
  exchange.body.erase(kMember);
}

net::ServerResponse SealedService::reply(Exchange& exchange, const Json& body) {
  e2ee::ResponseSealer sealer(*exchange.opened, parts_.signer);
  const Json frame = sealer.seal(padded(body), true);
  const std::string key = random_id("ffe-");
  remember(key, sealer.proof(false));
  net::ServerResponse out = json_response(frame);
  out.headers = {{"ZG-Res-Key", key}, {"Access-Control-Expose-Headers", "ZG-Res-Key"}};
  return out;
}

// Signed before the answer's last frame leaves: who has the answer finds the signature.
void SealedService::remember(const std::string& key, const std::string& text) {
  const int64_t now = std::time(nullptr);
  const crypto::Signature signature = e2ee::sign_proof(parts_.signer, text);
  Json json = {{"text", text},
               {"signature", to_hex0x(signature.bytes)},
               {"signing_address", crypto::checksum_address(parts_.signer.address())},
               {"signing_algo", "ecdsa"}};
  std::lock_guard lock(signatures_mutex_);
  while (!signature_order_.empty() &&
         (signature_order_.size() >= kMaxSignatures ||
          signatures_.at(signature_order_.front()).at + kSignatureSeconds < now)) {
    signatures_.erase(signature_order_.front());
    signature_order_.pop_front();
  }
  signatures_[key] = {std::move(json), now};
  signature_order_.push_back(key);
}

net::ServerResponse SealedService::signature(const std::string& key) {
  std::lock_guard lock(signatures_mutex_);
  const auto it = signatures_.find(key);
  if (it != signatures_.end()) return json_response(it->second.json);
  return json_response(to_json(Refusal(404, "unknown_key", "no answer of this key",
                                       "signatures are kept for ten minutes")),
                       404);
}

// ---------------------------------------------------------------------------------------- models

Json SealedService::model_object(const LoadedModel& m) const {
  return {{"id", model_name(m.token)},
          {"object", "model"},
          {"created", 0u},
          {"owned_by", crypto::checksum_address(m.loader)},
          {"base_model", parts_.manifest.name},
          {"artifact_root", to_hex0x(m.artifact_root.bytes)},
          {"max_context", options_.max_context},
          {"idle_seconds", options_.idle_seconds}};
}

// Of the tokens asked about, those that answer this user now.
net::ServerResponse SealedService::models(Exchange& exchange) {
  const Json& asked = json_member(exchange.body, "models", "request");
  if (!asked.is_array() || asked.size() > kMaxUsers) {
    throw Refusal(400, "bad_request", "models is no list of at most 100 names");
  }
  Json data = Json::array();
  for (const Json& name : asked) {
    if (!name.is_string()) throw Refusal(400, "bad_request", "models holds something unnamed");
    const evm::U256 token = token_of_model(name.get_ref<const std::string&>());
    if (!shelf_.has(token)) continue;
    try {
      data.push_back(model_object(usable_model(token, exchange.user)));
    } catch (const Refusal& refusal) {
      if (refusal.status() >= 500) throw;
    }
  }
  return reply(exchange, {{"object", "list"}, {"data", data}});
}

// What the owner sends is known to be the artifact's key when the artifact opens.
LoadedModel SealedService::fetch_model(const TokenFacts& facts, const evm::U256& token,
                                       ByteView key) {
  std::unique_lock lock(loading_, std::try_to_lock);
  if (!lock) throw Refusal(503, "busy", "another model is being loaded", {}, 5);
  const Bytes artifact = parts_.fetch(facts.artifact_root, adapter_room_);
  SecretBytes tar;
  try {
    tar = session::open_artifact(key, artifact);
  } catch (const Error&) {
    throw Refusal(403, "wrong_key",
                  "this key does not open the artifact of token " + token.to_string());
  }
  const std::map<std::string, Bytes> files = session::read_tar(tar.view());
  const auto file = [&](const char* name) -> const Bytes& {
    const auto it = files.find(name);
    if (it != files.end()) return it->second;
    throw Refusal(422, "bad_artifact", std::string("the artifact has no ") + name);
  };
  const session::TrainingReport report =
      session::parse_training_report(as_text(file("report.json")));
  if (report.base_model.files != parts_.manifest.files) {
    throw Refusal(422, "other_base_model",
                  "the model was trained on " + report.base_model.name + ", this enclave has " +
                      parts_.manifest.name,
                  "use an enclave with that base model");
  }
  LoadedModel out;
  out.token = token;
  out.loader = facts.owner;
  out.artifact_root = facts.artifact_root;
  out.default_system = report.recipe.system_prompt == "model";
  out.adapter = wiped_at_end(lm::parse_peft_files(file("adapter_model.safetensors"),
                                                  as_text(file("adapter_config.json")),
                                                  parts_.model.config(), "artifact"));
  return out;
}

// With the key the model is brought here; without it, those whom the owner names now take the place
// of those named before.
net::ServerResponse SealedService::load(Exchange& exchange) {
  const evm::U256 token = token_of_model(json_string(exchange.body, "model", "request"));
  std::set<Address> users = users_of(exchange.body);
  const TokenFacts facts = book_.fresh(token);
  if (facts.owner != exchange.user) {
    throw Refusal(
        403, "not_owner",
        crypto::checksum_address(exchange.user) + " does not own token " + token.to_string(),
        "only its owner can bring its key");
  }
  LoadedModel model;
  if (exchange.body.contains("key")) {
    const SecretBytes key(from_hex(json_string(exchange.body, "key", "request")));
    if (key.size() != session::kArtifactKey) {
      throw Refusal(400, "bad_request", "key does not have 32 bytes");
    }
    model = fetch_model(facts, token, key.view());
  } else {
    model = usable_model(token, exchange.user);
  }
  model.users = std::move(users);
  const Json object = model_object(model);
  shelf_.put(std::move(model));
  log::info("sealed inference: {} model(s) in memory, {} MiB", shelf_.size(), shelf_.bytes() >> 20);
  return reply(exchange, object);
}

net::ServerResponse SealedService::unload(Exchange& exchange) {
  const evm::U256 token = token_of_model(json_string(exchange.body, "model", "request"));
  if (book_.fresh(token).owner != exchange.user) {
    throw Refusal(403, "not_owner", "only the token's owner can take its model away");
  }
  const bool there = shelf_.drop(token);
  if (there) release_unused();
  return reply(exchange, {{"object", "model"}, {"id", model_name(token)}, {"unloaded", there}});
}

// The chain says who may, and so must the owner who brought the key have said: a host that shows
// this enclave a false chain gains nothing by it.
LoadedModel SealedService::usable_model(const evm::U256& token, const Address& user) {
  const TokenFacts facts = book_.at(token);
  const std::string who = crypto::checksum_address(user);
  const std::string which = "token " + token.to_string();
  if (!facts.allows(user)) {
    throw Refusal(403, "not_authorized", who + " may not use " + which,
                  "ask its owner " + crypto::checksum_address(facts.owner) +
                      " to run: ffe authorize " + token.to_string() + " " + who);
  }
  std::optional<LoadedModel> model = shelf_.use(token);
  if (model && model->loader != facts.owner) {
    shelf_.drop(token);
    model.reset();
  }
  if (!model) {
    throw Refusal(409, reason::kNotLoaded, "the key of " + which + " is not in this enclave",
                  user == facts.owner
                      ? "send it: ffe chat --sealed " + token.to_string()
                      : "its owner sends it: ffe chat --sealed " + token.to_string());
  }
  if (user != model->loader && !model->users.contains(user)) {
    throw Refusal(403, "not_authorized",
                  who + " was not authorised yet when the owner brought " + which + " here",
                  "the owner tells the enclave with: ffe chat --sealed " + token.to_string());
  }
  return *model;
}

// ------------------------------------------------------------------------------------------ chat

std::shared_ptr<SealedService::Answer> SealedService::begin(Exchange& exchange,
                                                            ChatRequest request) {
  const LoadedModel model = usable_model(request.token, exchange.user);
  lm::StreamRequest stream;
  stream.adapter = model.adapter;
  stream.prompt = parts_.chat.encode_chat(request.messages, true, model.default_system).tokens;
  const size_t prompt = stream.prompt.size();
  if (prompt >= options_.max_context) {
    throw Refusal(400, "context_length_exceeded",
                  "the conversation has " + std::to_string(prompt) +
                      " tokens; with its answer it "
                      "may have " +
                      std::to_string(options_.max_context),
                  "shorten it");
  }
  stream.sampling = request.sampling;
  stream.sampling.max_new_tokens =
      std::min(stream.sampling.max_new_tokens, options_.max_context - prompt);
  stream.sampling.stop_tokens = parts_.chat.stop_tokens();
  lm::TextStream(parts_.tokenizer, request.stops);  // refused before anything is answered

  AnswerHead head{random_id("chatcmpl-"), model_name(request.token),
                  to_hex(model.artifact_root.bytes), std::time(nullptr)};
  std::unique_ptr<Quota::Lease> lease = quota_.enter(model.loader);
  lease->use(prompt);
  tokens_ += prompt;
  return std::make_shared<Answer>(Answer{std::move(head),
                                         std::move(request),
                                         {prompt, 0},
                                         e2ee::ResponseSealer(*exchange.opened, parts_.signer),
                                         std::move(lease),
                                         scheduler_.start(std::move(stream))});
}

// An answer that is not streamed also goes out as a stream, of one piece: so its work ends when
// nobody waits for it any more.
net::ServerResponse SealedService::chat(Exchange& exchange) {
  std::shared_ptr<Answer> answer = begin(exchange, parse_chat(exchange.body, options_.max_tokens));
  net::ServerResponse out;
  out.headers = {{"ZG-Res-Key", answer->head.id},
                 {"Access-Control-Expose-Headers", "ZG-Res-Key"},
                 {"Cache-Control", "no-store"}};
  if (answer->request.stream) out.content_type = "text/event-stream";
  out.stream = [this, answer](net::ServerStream& stream) {
    answer->request.stream ? streamed(*answer, stream) : whole(*answer, stream);
  };
  return out;
}

lm::AnswerEnd SealedService::generate(Answer& answer, net::ServerStream& out,
                                      const std::function<bool(const std::string&)>& on_text) {
  lm::TextStream text(parts_.tokenizer, answer.request.stops);
  std::optional<lm::AnswerEnd> end;
  while (!end) {
    const std::vector<lm::StreamEvent> events = answer.stream->take(kLook);
    if (out.abandoned()) return lm::AnswerEnd::kCallback;
    std::string piece;
    uint64_t drawn = 0;
    for (const lm::StreamEvent& event : events) {
      if (text.stopped()) break;
      if (event.token) {
        piece += text.push(*event.token);
        ++drawn;
      }
      if (event.end)
        end = event.end == lm::StopReason::kStopToken ? lm::AnswerEnd::kStopToken
              : event.end == lm::StopReason::kLength  ? lm::AnswerEnd::kLength
                                                      : lm::AnswerEnd::kContext;
    }
    if (text.stopped()) {
      end = lm::AnswerEnd::kStopString;
    } else if (end) {
      piece += text.finish();
      if (text.stopped()) end = lm::AnswerEnd::kStopString;
    }
    answer.usage.completion += drawn;
    answer.lease->use(drawn);
    tokens_ += drawn;
    if (!piece.empty() && !on_text(piece)) return lm::AnswerEnd::kCallback;
  }
  answer.stream.reset();  // the place in the batch is free before the peer has read everything
  return *end;
}

void SealedService::whole(Answer& a, net::ServerStream& out) {
  std::string text;
  const lm::AnswerEnd end = generate(a, out, [&](const std::string& piece) {
    text += piece;
    return true;
  });
  if (end == lm::AnswerEnd::kCallback) return;
  const Json frame = a.sealer.seal(padded(completion(a.head, text, end, a.usage)), true);
  remember(a.head.id, a.sealer.proof(false));
  out.write(frame.dump());
}

void SealedService::streamed(Answer& a, net::ServerStream& out) {
  const auto send = [&](const Json& chunk, bool final) {
    const Json frame = a.sealer.seal(padded(chunk), final);
    if (final) remember(a.head.id, a.sealer.proof(true));
    return out.write(sse_event(frame.dump()));
  };
  try {
    if (!send(first_chunk(a.head), false)) return;
    const lm::AnswerEnd end = generate(
        a, out, [&](const std::string& piece) { return send(text_chunk(a.head, piece), false); });
    if (end == lm::AnswerEnd::kCallback) return;
    send(last_chunk(a.head, end), !a.request.include_usage);
    if (a.request.include_usage) send(usage_chunk(a.head, a.usage), true);
    out.write(sse_event(kStreamEnd));
  } catch (const Refusal& refusal) {
    out.write(sse_event(to_json(refusal).dump()));
  }
}

}  // namespace ffe::inference
