// Sealed inference, the enclave's side (docs/spec/sealed-inference.md): the joint model answers its
// co-owners and those whom they authorised, in OpenAI's form, everything encrypted end to end by
// 0G's E2EE protocol and every answer signed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "e2ee/envelope.hpp"
#include "inference/openai.hpp"
#include "inference/options.hpp"
#include "inference/quota.hpp"
#include "inference/replay_guard.hpp"
#include "inference/scheduler.hpp"
#include "inference/shelf.hpp"
#include "inference/token_book.hpp"
#include "lm/chat_template.hpp"
#include "lm/weights.hpp"
#include "net/http_server.hpp"
#include "session/recipe.hpp"

namespace ffe::inference {

// What the service has of the enclave around it; all of it outlives the service.
struct EnclaveParts {
  const crypto::PrivateKey& signer;
  const crypto::X25519KeyPair& key;  // the service key; requests are sealed to it
  // What proves that the key is this enclave's: "enclaveId", "validUntil", "signature".
  std::function<Json()> key_certificate;
  const lm::ModelFile& model;
  const lm::Tokenizer& tokenizer;
  const lm::ChatTemplate& chat;
  const session::BaseModelManifest& manifest;
  TokenBook::LookUp look_up;
  // The bytes of a 0G Storage root, at most so many.
  std::function<Bytes(const H256& root, size_t max_bytes)> fetch;
};

class SealedService {
 public:
  // Throws Error{kUsage} if the memory granted does not hold the streams' caches.
  SealedService(const EnclaveParts& parts, const ServeOptions& options);
  ~SealedService();  // the HTTP server must have stopped

  void add_routes(net::HttpServer& server);
  // For GET /v1/enclave: what is granted.
  Json facts() const;
  struct Counts {
    size_t models = 0, streams = 0;
    uint64_t tokens = 0, refused = 0;
  };
  Counts counts() const;

 private:
  struct Exchange;  // a request that was opened, and who sent it
  struct Answer;    // a chat answer under way
  using Reply = std::function<net::ServerResponse(Exchange&)>;

  net::HttpServer::Handler sealed(Reply reply);
  void open(const net::ServerRequest& request, Exchange& exchange);
  net::ServerResponse reply(Exchange& exchange, const Json& body);
  net::ServerResponse refusal(const Exchange& exchange, const Refusal& refusal);
  void remember(const std::string& key, const std::string& text);
  net::ServerResponse signature(const std::string& key);

  net::ServerResponse models(Exchange& exchange);
  net::ServerResponse load(Exchange& exchange);
  net::ServerResponse unload(Exchange& exchange);
  net::ServerResponse chat(Exchange& exchange);
  Json model_object(const LoadedModel& model) const;
  LoadedModel fetch_model(const TokenFacts& facts, const evm::U256& token, ByteView key);
  LoadedModel usable_model(const evm::U256& token, const Address& user);
  std::shared_ptr<Answer> begin(Exchange& exchange, ChatRequest request);
  void whole(Answer& answer, net::ServerStream& out);
  void streamed(Answer& answer, net::ServerStream& out);
  lm::AnswerEnd generate(Answer& answer, net::ServerStream& out,
                         const std::function<bool(const std::string&)>& on_text);
  void janitor();
  void release_unused();  // after a model has gone

  const EnclaveParts parts_;
  const ServeOptions options_;
  const uint64_t adapter_room_;
  TokenBook book_;
  ReplayGuard replays_;
  Quota quota_;
  Shelf shelf_;
  Scheduler scheduler_;
  std::mutex loading_;  // one artifact at a time is fetched and opened

  struct Signed {
    Json json;
    int64_t at;
  };
  std::mutex signatures_mutex_;
  std::map<std::string, Signed> signatures_;
  std::deque<std::string> signature_order_;

  std::atomic<uint64_t> tokens_{0}, refused_{0};
  std::mutex janitor_mutex_;
  std::condition_variable janitor_wake_;
  bool stopping_ = false;
  std::thread janitor_thread_;
};

}  // namespace ffe::inference
