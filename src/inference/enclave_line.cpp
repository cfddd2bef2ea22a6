#include "inference/enclave_line.hpp"

#include <algorithm>
#include <chrono>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "compute/session_token.hpp"
#include "crypto/random.hpp"
#include "inference/openai.hpp"

namespace ffe::inference {
namespace {

constexpr uint64_t kTokenLife = 600'000;  // ms
constexpr size_t kPadTo = 256;            // bytes of a request, so that its length tells little
constexpr int kWaits = 5;

Json names(const std::vector<Address>& users) {
  Json out = Json::array();
  for (const Address& user : users) out.push_back(crypto::checksum_address(user));
  return out;
}

}  // namespace

EnclaveLine::EnclaveLine(LineParts parts)
    : parts_(std::move(parts)), model_(model_name(parts_.token)) {}

VerifiedEnclave EnclaveLine::enclave() {
  line();
  std::lock_guard lock(mutex_);
  return enclave_.value();
}

std::shared_ptr<SealedClient> EnclaveLine::line() {
  std::lock_guard lock(mutex_);
  if (!line_) {
    enclave_ = parts_.verify();
    SealedEndpoint endpoint;
    endpoint.url = enclave_->url + "/v1";
    endpoint.recipient = enclave_->recipient;
    endpoint.profile = e2ee::Profile::kStrict;
    line_ = std::make_shared<SealedClient>(std::move(endpoint));
  }
  return line_;
}

void EnclaveLine::hang_up(const std::shared_ptr<SealedClient>& line) {
  std::lock_guard lock(mutex_);
  if (line_ == line) line_.reset();
}

// The token that says who asks is made for each request and travels inside it: whoever saw it could
// ask in the user's name until it expires.
Json EnclaveLine::sealed_body(Json body, const SealedClient& line) const {
  compute::SessionToken token;
  token.user = parts_.user.address();
  token.provider = line.endpoint().recipient.signer;
  token.timestamp = compute::now_ms();
  token.expires_at = token.timestamp + kTokenLife;
  FixedBytes<16> nonce;
  crypto::random_bytes(nonce.bytes);
  token.nonce = to_hex(nonce.bytes);
  Json own = {{"authorization", compute::authorization(token, parts_.user)},
              {"time", token.timestamp}};
  own["pad"] = std::string(kPadTo - body.dump().size() % kPadTo, ' ');
  body["x_ffe"] = std::move(own);
  return body;
}

Json EnclaveLine::with_model(const Json& request) const {
  if (!request.is_object() || request.contains("x_ffe")) {
    throw Error(ErrorCode::kBadInput, "a chat request is an object without \"x_ffe\"");
  }
  Json out = request;
  out["model"] = model_;
  return out;
}

// A signed answer of another model is no answer to this question.
void EnclaveLine::check_model(const Json& body) const {
  if (body.value("model", Json()) == model_ &&
      body.value("system_fingerprint", Json()) == to_hex(parts_.artifact_root.bytes)) {
    return;
  }
  throw Error(ErrorCode::kCorrupt, "the enclave answered with another model than " + model_,
              "do not use this answer");
}

// Twice it is worth asking again at once: when the enclave was started anew, so that it must be
// verified again, and when it lacks the key, which the owner can send.
template <class Call>
auto EnclaveLine::insist(const Call& call) {
  bool verified_again = false, loaded = false;
  for (int waits = 0;;) {
    const std::shared_ptr<SealedClient> line = this->line();
    try {
      return call(*line);
    } catch (const Refusal& refusal) {
      const int wait = refusal.retry_after();
      if (refusal.reason() == reason::kStaleKey && !verified_again) {
        verified_again = true;
        hang_up(line);
      } else if (refusal.reason() == reason::kNotLoaded && !loaded) {
        loaded = true;
        try {
          load_on(*line);
        } catch (const Error& e) {
          if (e.code() == ErrorCode::kKey && dynamic_cast<const Refusal*>(&e) == nullptr) {
            throw refusal;  // not the owner: the enclave's words say whom to ask
          }
          throw;
        }
      } else if (wait > 0 && wait <= parts_.patience_seconds && waits < kWaits) {
        ++waits;
        interruptible_sleep(std::chrono::seconds(wait));
      } else {
        throw;
      }
    }
  }
}

ModelKey EnclaveLine::owners_key() {
  std::lock_guard lock(mutex_);
  std::optional<ModelKey> key = parts_.model_key();
  if (key) return std::move(*key);
  throw Error(ErrorCode::kKey, "only the owner of token " + parts_.token.to_string() +
                                   " can send its key to the enclave");
}

Json EnclaveLine::load_on(SealedClient& line) {
  const ModelKey key = owners_key();
  if (parts_.on_load) {
    parts_.on_load("the key of token " + parts_.token.to_string() + ", sealed to the enclave");
  }
  const Json request = {
      {"model", model_}, {"key", to_hex0x(key.key.view())}, {"users", names(key.users)}};
  return line.ask(sealed_body(request, line), "/inference/load").body;
}

bool EnclaveLine::introduce_users() {
  const Json request = {{"model", model_}, {"users", names(owners_key().users)}};
  const std::shared_ptr<SealedClient> line = this->line();
  try {
    line->ask(sealed_body(request, *line), "/inference/load");
    return true;
  } catch (const Refusal& refusal) {
    if (refusal.reason() == reason::kNotLoaded) return false;
    throw;
  }
}

SealedAnswer EnclaveLine::chat(const Json& request) {
  const Json body = with_model(request);
  SealedAnswer answer =
      insist([&](SealedClient& line) { return line.ask(sealed_body(body, line)); });
  answer.body.erase("obfuscation");
  check_model(answer.body);
  return answer;
}

AnswerProof EnclaveLine::stream(const Json& request,
                                const std::function<bool(const Json&)>& on_chunk) {
  const Json body = with_model(request);
  return insist([&](SealedClient& line) {
    return line.stream(sealed_body(body, line), [&](const Json& chunk) {
      check_model(chunk);
      Json shown = chunk;
      shown.erase("obfuscation");
      return on_chunk(shown);
    });
  });
}

Json EnclaveLine::models() {
  Json body = insist([&](SealedClient& line) {
    return line.ask(sealed_body({{"models", {model_}}}, line), "/models").body;
  });
  body.erase("obfuscation");
  return body;
}

Json EnclaveLine::load() {
  return insist([&](SealedClient& line) { return load_on(line); });
}

Json EnclaveLine::unload() {
  return insist([&](SealedClient& line) {
    return line.ask(sealed_body({{"model", model_}}, line), "/inference/unload").body;
  });
}

}  // namespace ffe::inference
