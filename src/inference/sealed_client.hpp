// A client of end-to-end encrypted inference: seals requests, opens answers, and takes none whose
// signature is not about exactly this request and this answer. For FFE's own enclaves (kStrict) and
// for every service that speaks 0G's E2EE protocol v1 (kProtocol).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "e2ee/envelope.hpp"
#include "inference/refusal.hpp"
#include "net/http_client.hpp"

namespace ffe::inference {

struct SealedEndpoint {
  std::string url;            // "https://host/v1/proxy", without a final slash
  e2ee::Recipient recipient;  // from a verified quote and the chain, never the service's word
  e2ee::Profile profile = e2ee::Profile::kProtocol;
  std::string authorization;  // the Authorization header's value; empty: none
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
  // Where signatures are asked for, if not below `url`: 0G's router does not pass them on.
  std::string signature_url;
  int timeout_ms = 600'000;       // of an answer that is not streamed
  int idle_timeout_ms = 120'000;  // longest silence in a stream
};

// What is known of an answer once it was checked.
struct AnswerProof {
  std::string key;   // the service's name for the answer
  std::string text;  // what was signed: "<scheme>:<request hash>:<answer hash>"
  crypto::Signature signature;
};

struct SealedAnswer {
  Json body;
  AnswerProof proof;
};

// Thread-safe.
class SealedClient {
 public:
  static constexpr std::string_view kChat = "/chat/completions";

  explicit SealedClient(SealedEndpoint endpoint) : endpoint_(std::move(endpoint)) {}

  const SealedEndpoint& endpoint() const { return endpoint_; }

  // An answer in one piece. Throws Refusal for an error status (also one that came sealed),
  // Error{kCorrupt} for an answer that was changed, cut off, of another exchange, or not signed by
  // the recipient's signer, kBadInput for one that is malformed, kNetwork where nothing answers or
  // no signature can be had.
  SealedAnswer ask(const Json& request, std::string_view path = kChat);

  // A streamed answer ("stream": true is added). `on_chunk` gets each chunk as it is opened; false
  // ends the answer, and there is no proof then. With kStrict a chunk that is given is known to be
  // the enclave's; with kProtocol that is known only when this returns. Throws as ask() does, also
  // after chunks were given: what came then is not to be trusted (kProtocol) or not whole (both).
  AnswerProof stream(const Json& request, const std::function<bool(const Json&)>& on_chunk,
                     std::string_view path = kChat);

 private:
  net::HttpRequest post(const Json& envelope, std::string_view path) const;
  AnswerProof fetch_proof(const e2ee::ResponseOpener& opener, const net::HttpResponse& response,
                          const Json& body, const Json& request, bool streamed);

  SealedEndpoint endpoint_;
  net::HttpClient http_;
};

}  // namespace ffe::inference
