// A user's line to one of 0G Compute's inference brokers (docs/spec/compute.md): verified before
// anything is sent, paid from a sub-account, and believed only where the answer's signature is
// about exactly this request and this answer, which 0G's own clients do not check.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compute/inference_chain.hpp"
#include "compute/quote.hpp"
#include "inference/sealed_client.hpp"

namespace ffe::inference {

struct BrokerOptions {
  // How long 429 and 503 are waited out, all together; what such answers refuse was not charged.
  std::chrono::seconds patience{60};
  std::chrono::milliseconds first_pause{1000};  // doubles, where the broker does not say how long
  int timeout_ms = 600'000;
  int idle_timeout_ms = 120'000;
  uint64_t token_seconds = 3600;  // of a session token; at most a day
  // What must hold of the evidence beyond compute::check_quote(); empty: compute::verify_dcap().
  std::function<void(const compute::QuoteCheck&)> verify;
};

// A fine-tuned adapter at the broker.
struct BrokerAdapter {
  std::string name;
  std::string task;
  std::string base_model;
  std::string state;  // "ready", "active", …; or one that is not known yet
  std::string error;
};

class BrokerClient {
 public:
  // `rpc`, with compute::rpc_options(), and `user` must outlive this. Throws Error{kUsage} if the
  // provider offers no inference.
  BrokerClient(evm::RpcClient& rpc, const Address& contract, const Address& provider,
               const crypto::PrivateKey& user, BrokerOptions options = {});

  const compute::InferenceServiceView& service() const { return service_; }
  // What was verified; makes the check if that was not done yet. Throws Error{kAttestation}.
  const compute::QuoteCheck& verify();

  // OpenAI's chat completions, sealed to the broker's enclave; "model" is the service's unless it
  // is there (an adapter's name). Throws Error{kCorrupt} for an answer that names another model or
  // is not signed as said, kUnsupported where the quote names no encryption key, kChain without
  // money, Refusal for what the broker refuses, kNetwork without an answer: such a request may have
  // been charged, so it is not sent again.
  SealedAnswer chat(const Json& request);
  AnswerProof stream(const Json& request, const std::function<bool(const Json&)>& on_chunk);
  // In clear (https at most), the signature checked all the same.
  SealedAnswer chat_plain(const Json& request);

  std::vector<BrokerAdapter> adapters();
  // Asks that it be loaded; the broker's words.
  std::string deploy(const std::string& adapter);

 private:
  std::string authorization();
  SealedClient sealed();
  Json with_model(const Json& request) const;
  template <class Call>
  auto insist(Call call);
  net::HttpResponse exchange(const std::string& method, const std::string& path, const Json& body);
  AnswerProof proof_of(const std::string& key, const std::string& model);

  evm::RpcClient& rpc_;
  compute::InferenceServing chain_;
  const crypto::PrivateKey& user_;
  BrokerOptions options_;
  compute::InferenceServiceView service_;
  std::unique_ptr<compute::QuoteCheck> checked_;
  std::string token_;
  uint64_t token_ends_ = 0;  // Unix milliseconds
  net::HttpClient http_;
};

}  // namespace ffe::inference
