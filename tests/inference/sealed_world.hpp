// A service of sealed inference on a tiny model, with real artifacts, behind a real HTTP server.
// The chain and the storage are tables that a test fills.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "inference/enclave_line.hpp"
#include "inference/service.hpp"
#include "lm/lora.hpp"
#include "session/artifact.hpp"
#include "session/reports.hpp"
#include "session/tar.hpp"
#include "support/tiny_model.hpp"

namespace ffe::inference {

inline H256 filled(uint8_t value) {
  H256 out;
  out.bytes.fill(value);
  return out;
}

// What a session leaves behind: an encrypted artifact, and its key.
struct Artifact {
  H256 root;
  Bytes key, bytes;
  lm::LoraAdapter adapter;
};

class SealedWorld {
 public:
  // `model`: the base model; empty: `tiny`.
  explicit SealedWorld(ServeOptions options = quick_options(), std::filesystem::path model = {},
                       const test::TinyModel& tiny = {.positions = 1024})
      : options_(options),
        path_(model.empty() ? test::write_tiny_model(folder_.path() / "model", tiny)
                            : std::move(model)),
        model_(lm::ModelFile::open(path_)),
        tokenizer_(lm::Tokenizer::from(model_)),
        chat_(lm::ChatTemplate::from(model_, tokenizer_)),
        manifest_(session::manifest_of(path_, "base")) {
    start();
  }
  ~SealedWorld() { stop(); }

  static ServeOptions quick_options() {
    ServeOptions o;
    o.enabled = true;
    o.numeric = "f32";
    o.threads = 1;
    o.max_context = 256;
    o.max_tokens = 64;
    o.chain_cache_seconds = 0;
    return o;
  }

  // A new process of the same enclave: same signer, another service key, nothing in memory.
  void restart() {
    stop();
    start();
  }

  // A model's token with its owner; `seed` makes another adapter.
  Artifact& add_token(uint64_t token, const Address& owner, uint8_t seed = 1) {
    Artifact& a = artifacts_.try_emplace(seed, make_artifact(seed)).first->second;
    std::lock_guard lock(mutex_);
    tokens_[evm::U256(token)] = {owner, {}, a.root};
    return a;
  }
  TokenFacts& token(uint64_t id) { return tokens_.at(evm::U256(id)); }
  std::mutex& mutex() { return mutex_; }  // of what the chain and the storage say

  LineParts parts(uint64_t id, const crypto::PrivateKey& user, const Artifact& artifact) {
    return {user,
            evm::U256(id),
            artifact.root,
            [this] {
              ++verified_;
              return enclave();
            },
            [this, id, &user, &artifact]() -> std::optional<ModelKey> {
              if (token(id).owner != user.address()) return std::nullopt;
              const std::set<Address>& users = token(id).users;
              return ModelKey{SecretBytes(artifact.key), {users.begin(), users.end()}};
            },
            {},
            0};
  }
  VerifiedEnclave enclave() const { return {url(), {key_->public_key, signer_.address()}}; }
  SealedEndpoint endpoint() const {
    SealedEndpoint out;
    out.url = url() + "/v1";
    out.recipient = enclave().recipient;
    out.profile = e2ee::Profile::kStrict;
    return out;
  }
  std::string url() const { return server_->url(); }
  const crypto::PrivateKey& signer() const { return signer_; }
  SealedService& service() { return *service_; }
  int verified() const { return verified_; }
  Bytes& stored(const H256& root) { return storage_.at(root); }
  const lm::ChatTemplate& chat() const { return chat_; }
  const lm::ModelFile& model() const { return model_; }

  static Json question(const std::string& text, size_t max_tokens = 8) {
    return {{"messages", {{{"role", "user"}, {"content", text}}}},
            {"temperature", 0},
            {"max_tokens", max_tokens}};
  }

 private:
  void start() {
    key_ = std::make_unique<crypto::X25519KeyPair>(crypto::X25519KeyPair::generate());
    service_ = std::make_unique<SealedService>(
        EnclaveParts{signer_, *key_,
                     [] {
                       return Json{{"enclaveId", "0x00"}};
                     },
                     model_, tokenizer_, chat_, manifest_,
                     [this](const evm::U256& id) { return look_up(id); },
                     [this](const H256& root, size_t most) { return fetch(root, most); }},
        options_);
    net::HttpServerOptions http;
    http.threads = 32;
    server_ = std::make_unique<net::HttpServer>(http);
    service_->add_routes(*server_);
    server_->start();
  }
  void stop() {
    server_.reset();
    service_.reset();
  }

  TokenFacts look_up(const evm::U256& id) {
    std::lock_guard lock(mutex_);
    const auto it = tokens_.find(id);
    if (it == tokens_.end()) throw Error(ErrorCode::kChain, "reverted: no such token");
    return it->second;
  }
  Bytes fetch(const H256& root, size_t most) {
    std::lock_guard lock(mutex_);
    const auto it = storage_.find(root);
    if (it == storage_.end()) throw Error(ErrorCode::kNetwork, "no node has it");
    if (it->second.size() > most) throw Error(ErrorCode::kBadInput, "too large");
    return it->second;
  }

  Artifact make_artifact(uint8_t seed) {
    Artifact out;
    lm::LoraConfig lora;
    out.adapter = lm::make_adapter(model_.config(), lora, filled(seed));
    crypto::ChaChaRng rng(Bytes(32, seed));
    for (auto& [name, m] : out.adapter.modules) {
      for (float& b : m.b) b = static_cast<float>(2 * rng.uniform01() - 1);
    }
    session::TrainingReport report;
    report.domain = {31337, Address{}};
    report.base_model = manifest_;
    report.terms.recipe = session::text_hash(session::to_text(report.recipe));
    report.terms.base_model = session::text_hash(session::to_text(manifest_));
    report.engine = "ffe";
    report.numeric_path = "f32";
    std::map<std::string, Bytes> files = lm::peft_files(out.adapter, "card");
    const std::string text = session::to_text(report);
    files["report.json"] = Bytes(text.begin(), text.end());
    const Bytes tar = session::write_tar(files);
    session::ArtifactKey key = session::derive_artifact_key(Bytes(32, seed), filled(seed), tar);
    out.key = Bytes(key.key.view().begin(), key.key.view().end());
    out.bytes = session::seal_artifact(key, tar);
    out.root = filled(static_cast<uint8_t>(0x80 + seed));
    storage_[out.root] = out.bytes;
    return out;
  }

  TempDir folder_{"ffe-sealed"};
  ServeOptions options_;
  std::filesystem::path path_;
  lm::ModelFile model_;
  lm::Tokenizer tokenizer_;
  lm::ChatTemplate chat_;
  session::BaseModelManifest manifest_;
  crypto::PrivateKey signer_ = crypto::PrivateKey::generate();
  std::unique_ptr<crypto::X25519KeyPair> key_;
  std::mutex mutex_;
  std::map<evm::U256, TokenFacts> tokens_;
  std::map<H256, Bytes> storage_;
  std::map<uint8_t, Artifact> artifacts_;
  std::unique_ptr<SealedService> service_;
  std::unique_ptr<net::HttpServer> server_;
  std::atomic<int> verified_{0};
};

// "<status> <reason>" of the Refusal that `run` throws.
template <class F>
std::string refusal_of(F&& run) {
  try {
    run();
  } catch (const Refusal& refusal) {
    return std::to_string(refusal.status()) + " " + refusal.reason();
  } catch (const Error& e) {
    return std::string("error ") + std::string(error_name(e.code())) + ": " + e.what();
  }
  return "none";
}

}  // namespace ffe::inference
