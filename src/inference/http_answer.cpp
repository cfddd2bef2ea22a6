#include "inference/http_answer.hpp"

#include <chrono>

#include "base/hex.hpp"
#include "base/interrupt.hpp"

namespace ffe::inference {
namespace {

constexpr int kSignatureAttempts = 4;
constexpr std::chrono::milliseconds kSignaturePause{250};

}  // namespace

std::string header(const net::HttpResponse& response, const std::string& name) {
  const auto it = response.headers.find(name);
  return it == response.headers.end() ? "" : it->second;
}

Json lenient_json(const std::string& body) {
  try {
    return parse_json(body, "answer");
  } catch (const Error&) {
    return nullptr;
  }
}

AnswerProof fetch_signature(net::HttpClient& http, const std::string& url, const std::string& key) {
  net::HttpRequest ask;
  ask.url = url;
  ask.max_body = 1 << 16;
  ask.timeout_ms = 30'000;
  net::HttpResponse found = http.send(ask);
  for (int i = 1; i < kSignatureAttempts && found.status == 404; ++i) {
    interruptible_sleep(kSignaturePause);
    found = http.send(ask);
  }
  if (!found.ok()) {
    throw Error(ErrorCode::kCorrupt,
                "the answer is not signed: its signature is not to be had (HTTP status " +
                    std::to_string(found.status) + ")",
                "do not use this answer");
  }
  const Json json = parse_json(found.body, "signature");
  return {key, json_string(json, "text", "signature"),
          fixed_from_hex<65>(json_string(json, "signature", "signature"))};
}

}  // namespace ffe::inference
