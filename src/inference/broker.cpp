#include "inference/broker.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "compute/provider_client.hpp"
#include "compute/session_token.hpp"
#include "compute/task_run.hpp"
#include "crypto/random.hpp"
#include "e2ee/proof.hpp"
#include "inference/http_answer.hpp"
#include "inference/url_part.hpp"

namespace ffe::inference {
namespace {

constexpr uint64_t kLocalChain = 31337;
constexpr uint64_t kRenewBefore = 60'000;  // ms
constexpr size_t kMaxAnswer = size_t{32} << 20;

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// Empty where there is none, or something else than text.
std::string optional_string(const Json& json, const char* name) {
  if (!json.is_object()) return {};
  const auto it = json.find(name);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// A broker that answers with another model than was asked for may be asked about another price.
void require_model(const Json& body, const Json& request) {
  const std::string asked = json_string(request, "model", "request");
  const std::string got = optional_string(body, "model");
  if (got == asked) return;
  throw Error(
      ErrorCode::kCorrupt,
      "the answer is of the model \"" + got.substr(0, 100) + "\"; asked for was \"" + asked + "\"",
      "the broker swapped the model: do not use this answer");
}

BrokerAdapter adapter_from(const Json& json) {
  const std::string what = "adapter";
  BrokerAdapter out;
  out.name = json_string(json, "adapterName", what);
  out.state = json_string(json, "state", what);
  out.task = optional_string(json, "taskId");
  out.base_model = optional_string(json, "baseModel");
  out.error = optional_string(json, "error");
  return out;
}

}  // namespace

BrokerClient::BrokerClient(evm::RpcClient& rpc, const Address& contract, const Address& provider,
                           const crypto::PrivateKey& user, BrokerOptions options)
    : rpc_(rpc), chain_(rpc, contract), user_(user), options_(std::move(options)) {
  auto service = chain_.service(provider);
  if (!service || service->type != "chatbot") {
    throw Error(ErrorCode::kUsage,
                crypto::checksum_address(provider) + " offers no chat on this network",
                "look at the services: ffe compute models");
  }
  service_ = std::move(*service);
  service_.url = without_slash(service_.url);
}

const compute::QuoteCheck& BrokerClient::verify() {
  if (checked_) return *checked_;
  if (!service_.tee_signer_acknowledged) {
    throw Error(ErrorCode::kAttestation, "0G has not acknowledged this provider's enclave",
                "choose another provider, or wait until it has");
  }
  const bool local = rpc_.chain_id() == kLocalChain;
  compute::ProviderClient client(service_.url);
  auto check = std::make_unique<compute::QuoteCheck>(
      compute::check_quote(client.quote(), service_.tee_signer, local));
  if (options_.verify) {
    options_.verify(*check);
  } else {
    compute::verify_dcap(*check);
  }
  checked_ = std::move(check);
  return *checked_;
}

// A fresh token where the last one ends soon; its generation is the account's now.
std::string BrokerClient::authorization() {
  if (token_ends_ > compute::now_ms() + kRenewBefore) return token_;
  const auto account = chain_.account(user_.address(), service_.provider);
  if (!account || account->free().is_zero()) {
    throw Error(ErrorCode::kChain, "there is no money at this provider for inference",
                "fund it: ffe compute fund " + crypto::checksum_address(service_.provider) +
                    " 1 --inference");
  }
  FixedBytes<16> random;
  crypto::random_bytes(random.bytes);
  compute::SessionToken token;
  token.user = user_.address();
  token.provider = service_.provider;
  token.timestamp = compute::now_ms();
  token.expires_at = token.timestamp + std::min<uint64_t>(options_.token_seconds, 86'400) * 1000;
  token.nonce = to_hex(random.bytes);
  token.generation = account->generation;
  token_ = compute::authorization(token, user_);
  token_ends_ = token.expires_at;
  return token_;
}

// Busy brokers are waited out; a token that is refused is made anew, once. Neither was charged.
template <class Call>
auto BrokerClient::insist(Call call) {
  const auto end = std::chrono::steady_clock::now() + options_.patience;
  std::chrono::milliseconds wait = options_.first_pause;
  bool renewed = false;
  while (true) {
    try {
      return call();
    } catch (const Refusal& e) {
      if (e.status() == 401 && !renewed) {
        renewed = true;
        token_ends_ = 0;
        continue;
      }
      const bool busy = e.status() == 429 || e.status() == 503;
      const std::chrono::milliseconds asked = std::chrono::seconds(e.retry_after());
      const std::chrono::milliseconds next = std::max(asked, wait);
      if (!busy || std::chrono::steady_clock::now() + next > end) throw;
      interruptible_sleep(next);
      wait *= 2;
    }
  }
}

SealedClient BrokerClient::sealed() {
  const compute::QuoteCheck& check = verify();
  if (!check.report.enc_pub) {
    throw Error(ErrorCode::kUnsupported,
                "this broker's quote names no encryption key, so nothing can be sealed to it",
                "ask it in clear (--plain), or choose another provider");
  }
  SealedEndpoint endpoint;
  endpoint.url = service_.url + "/v1/proxy";
  endpoint.recipient = {*check.report.enc_pub, service_.tee_signer};
  endpoint.authorization = authorization();
  endpoint.timeout_ms = options_.timeout_ms;
  endpoint.idle_timeout_ms = options_.idle_timeout_ms;
  return SealedClient(std::move(endpoint));
}

Json BrokerClient::with_model(const Json& request) const {
  Json out = request;
  if (!out.contains("model")) out["model"] = service_.model;
  return out;
}

SealedAnswer BrokerClient::chat(const Json& request) {
  const Json whole = with_model(request);
  SealedAnswer answer = insist([&] { return sealed().ask(whole); });
  require_model(answer.body, whole);
  return answer;
}

AnswerProof BrokerClient::stream(const Json& request,
                                 const std::function<bool(const Json&)>& on_chunk) {
  const Json whole = with_model(request);
  bool begun = false;  // then it may have been charged, and is not sent again
  return insist([&] {
    try {
      return sealed().stream(whole, [&](const Json& chunk) {
        require_model(chunk, whole);
        begun = true;
        return on_chunk(chunk);
      });
    } catch (const Refusal& e) {
      if (!begun) throw;
      throw Error(ErrorCode::kNetwork, std::string("the answer broke off: ") + e.what());
    }
  });
}

net::HttpResponse BrokerClient::exchange(const std::string& method, const std::string& path,
                                         const Json& body) {
  return insist([&] {
    net::HttpRequest request;
    request.method = method;
    request.url = service_.url + path;
    request.headers = {{"authorization", authorization()}};
    if (method == "POST") {
      request.headers.emplace_back("content-type", "application/json");
      request.body = body.dump();
    }
    request.timeout_ms = options_.timeout_ms;
    request.max_body = kMaxAnswer;
    net::HttpResponse response = http_.send(request);
    if (response.ok()) return response;
    throw refusal_from_answer(response.status, header(response, "retry-after"),
                              lenient_json(response.body), "the broker refused");
  });
}

AnswerProof BrokerClient::proof_of(const std::string& key, const std::string& model) {
  return fetch_signature(
      http_, service_.url + "/v1/proxy/signature/" + url_part(key) + "?model=" + url_part(model),
      key);
}

SealedAnswer BrokerClient::chat_plain(const Json& request) {
  verify();
  const Json whole = with_model(request);
  const net::HttpResponse response = exchange("POST", "/v1/proxy/chat/completions", whole);
  SealedAnswer out;
  out.body = parse_json(response.body, "answer");
  require_model(out.body, whole);
  const std::string key = header(response, "zg-res-key");
  if (key.empty()) {
    throw Error(ErrorCode::kCorrupt, "the answer has no key to ask for its signature with",
                "do not use this answer");
  }
  out.proof = proof_of(key, json_string(whole, "model", "request"));
  e2ee::check_proof(out.proof.text, out.proof.signature, e2ee::Scheme::kPlain,
                    e2ee::plain_hash(whole), e2ee::plain_hash(out.body), service_.answer_signer());
  return out;
}

std::vector<BrokerAdapter> BrokerClient::adapters() {
  const Json answer =
      parse_json(exchange("GET", "/v1/lora/adapters", nullptr).body, "the broker's adapters");
  const Json& list = json_member(answer, "adapters", "the broker's answer");
  if (!list.is_array()) throw Error(ErrorCode::kBadInput, "the broker's adapters are no list");
  std::vector<BrokerAdapter> out;
  for (const Json& one : list) out.push_back(adapter_from(one));
  return out;
}

std::string BrokerClient::deploy(const std::string& adapter) {
  const Json answer = parse_json(
      exchange("POST", "/v1/lora/adapters/deploy", {{"adapterName", adapter}}).body, "answer");
  return json_string(answer, "message", "the broker's answer");
}

}  // namespace ffe::inference
