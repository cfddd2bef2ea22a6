// 0G's inference broker for local networks, beside the fine-tuning provider: an OpenAI endpoint
// with session tokens, end-to-end encryption and signed answers, and the adapters of finished
// tasks. Nothing is charged.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "compute/inference_chain.hpp"
#include "e2ee/envelope.hpp"
#include "lm/chat_template.hpp"
#include "lm/conversation.hpp"
#include "net/http_server.hpp"
#include "provider/options.hpp"
#include "provider/task.hpp"

namespace ffe::provider {

class Broker {
 public:
  // `enc`: what requests are sealed to; the quote names it. All must outlive this.
  Broker(const ProviderOptions& options, const crypto::PrivateKey& key, const TaskList& tasks,
         const crypto::X25519KeyPair& enc);

  void add_routes(net::HttpServer& server);
  // Offers the service at `url` on the chain, with 0G's stake where it is new.
  void offer(const std::string& url);

 private:
  struct Adapter {
    std::string name;
    Task task;
  };
  struct Reply;  // an answer under way

  net::ServerResponse pubkey() const;
  net::ServerResponse chat(const net::ServerRequest& request);
  net::ServerResponse signature(const net::ServerRequest& request);
  net::ServerResponse adapters() const;
  net::ServerResponse adapter(const net::ServerRequest& request) const;
  net::ServerResponse deploy(const net::ServerRequest& request);

  Address user_of(const net::ServerRequest& request);
  std::vector<Adapter> finished() const;
  Json adapter_json(const Adapter& adapter) const;
  std::shared_ptr<const lm::LoraAdapter> adapter_for(const std::string& model, const Address& user);
  lm::Answer generate(const Reply& reply, const lm::OnText& on_text);
  void whole(Reply& reply, net::ServerResponse& out);
  void streamed(Reply& reply, net::ServerStream& out);
  void sign(const Reply& reply, const std::string& text);
  bool strikes(Fault fault, unsigned times);

  const ProviderOptions& options_;
  const TaskList& tasks_;
  const crypto::X25519KeyPair& enc_;
  crypto::PrivateKey tee_;
  evm::RpcClient rpc_;
  evm::Sender sender_;
  compute::InferenceServing chain_;
  lm::ModelFile model_;
  lm::Tokenizer tokenizer_;
  lm::ChatTemplate template_;

  std::mutex engine_mutex_;  // one answer at a time
  std::unique_ptr<lm::Engine> engine_;
  mutable std::mutex mutex_;  // of what follows
  std::set<std::string> active_;
  std::map<std::string, Json> signatures_;
  std::map<Fault, unsigned> struck_;
};

}  // namespace ffe::provider
