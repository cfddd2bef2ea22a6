#include "inference/sealed_client.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "inference/http_answer.hpp"
#include "inference/sse.hpp"
#include "inference/url_part.hpp"

namespace ffe::inference {
namespace {

constexpr size_t kMaxAnswer = size_t{32} << 20;

// An error may come sealed, so that nobody else reads what was wrong; then it is opened. One that
// does not open counts for its status alone.
[[noreturn]] void refuse(const net::HttpResponse& response, e2ee::ResponseOpener& opener) {
  Json body = lenient_json(response.body);
  if (body.is_object() && body.contains("_e2ee")) {
    try {
      body = opener.open(body);
    } catch (const Error&) {
      body = nullptr;
    }
  }
  throw refusal_from_answer(response.status, header(response, "retry-after"), body,
                            "the enclave's service refused");
}

e2ee::SealedRequest sealed(const Json& request, const SealedEndpoint& endpoint) {
  return endpoint.profile == e2ee::Profile::kStrict
             ? e2ee::seal_request_strictly(request, endpoint.recipient)
             : e2ee::seal_request(request, endpoint.recipient, e2ee::default_sealed(request));
}

}  // namespace

net::HttpRequest SealedClient::post(const Json& envelope, std::string_view path) const {
  net::HttpRequest out;
  out.method = "POST";
  out.url = endpoint_.url + std::string(path);
  out.headers = endpoint_.headers;
  out.headers.emplace_back("content-type", "application/json");
  if (!endpoint_.authorization.empty()) {
    out.headers.emplace_back("authorization", endpoint_.authorization);
  }
  out.body = envelope.dump();
  out.timeout_ms = endpoint_.timeout_ms;
  out.max_body = kMaxAnswer;
  return out;
}

SealedAnswer SealedClient::ask(const Json& request, std::string_view path) {
  e2ee::SealedRequest s = sealed(request, endpoint_);
  const net::HttpResponse response = http_.send(post(s.envelope, path));
  if (!response.ok()) refuse(response, s.opener);
  SealedAnswer out;
  out.body = s.opener.open(parse_json(response.body, "sealed answer"));
  out.proof = fetch_proof(s.opener, response, out.body, request, false);
  return out;
}

AnswerProof SealedClient::stream(const Json& request,
                                 const std::function<bool(const Json&)>& on_chunk,
                                 std::string_view path) {
  Json streamed = request;
  streamed["stream"] = true;
  e2ee::SealedRequest s = sealed(streamed, endpoint_);
  SseReader reader;
  Json first;
  bool cancelled = false;
  const auto on_data = [&](std::string_view data) {
    if (cancelled || data == kStreamEnd) return;
    const Json frame = parse_json(data, "event of the stream");
    if (frame.is_object() && frame.contains("error")) {
      throw refusal_from_answer(503, "", frame, "the enclave's service gave up");
    }
    const Json chunk = s.opener.open(frame);
    if (first.is_null()) first = chunk;
    cancelled = !on_chunk(chunk);
  };
  net::HttpRequest http = post(s.envelope, path);
  http.timeout_ms = 0;
  http.idle_timeout_ms = endpoint_.idle_timeout_ms;
  net::HttpResponse response;
  try {
    response = http_.send(http, [&](std::string_view bytes) {
      reader.push(bytes, on_data);
      return !cancelled;
    });
  } catch (const Error& e) {
    if (cancelled && e.code() == ErrorCode::kNetwork) return {};
    throw;
  }
  if (!response.ok()) refuse(response, s.opener);
  if (cancelled) return {};
  return fetch_proof(s.opener, response, first, streamed, true);
}

AnswerProof SealedClient::fetch_proof(const e2ee::ResponseOpener& opener,
                                      const net::HttpResponse& response, const Json& body,
                                      const Json& request, bool streamed) {
  if (!opener.complete()) {
    throw Error(ErrorCode::kCorrupt, "the answer was cut off before its end",
                "ask again; if it stays so, somebody on the way interferes");
  }
  std::string key = header(response, "zg-res-key");
  if (key.empty() && body.contains("id")) key = json_string(body, "id", "answer");
  if (key.empty()) {
    throw Error(ErrorCode::kCorrupt, "the answer has no key to ask for its signature with",
                "do not use this answer");
  }
  const std::string& base =
      endpoint_.signature_url.empty() ? endpoint_.url : endpoint_.signature_url;
  std::string url = base + "/signature/" + url_part(key);
  if (request.contains("model") && request["model"].is_string() &&
      endpoint_.profile == e2ee::Profile::kProtocol) {
    url += "?model=" + url_part(request["model"].get<std::string>());
  }
  AnswerProof out = fetch_signature(http_, url, key);
  opener.check(out.text, out.signature, streamed, endpoint_.recipient.signer);
  return out;
}

}  // namespace ffe::inference
