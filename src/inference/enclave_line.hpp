// A user's line to an enclave that serves the model of a token: the client's side of sealed
// inference (docs/spec/sealed-inference.md). Verifies before anything is sent, sends the model's
// key when it is asked for, and believes only answers that this enclave signed for this model.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "crypto/secp256k1.hpp"
#include "evm/u256.hpp"
#include "inference/sealed_client.hpp"

namespace ffe::inference {

struct VerifiedEnclave {
  std::string url;  // of its service
  e2ee::Recipient recipient;
};

struct ModelKey {
  SecretBytes key;             // of the token's artifact
  std::vector<Address> users;  // whom the owner authorised, as the owner's own endpoint says
};

// How the line finds and proves the enclave, and the key. Called by one thread at a time.
struct LineParts {
  const crypto::PrivateKey& user;  // outlives the line
  evm::U256 token;
  H256 artifact_root;  // the token's, from the user's own endpoint
  // Verifies anew; throws Error{kAttestation}.
  std::function<VerifiedEnclave()> verify;
  // Nothing where the user does not own the token.
  std::function<std::optional<ModelKey>()> model_key;
  // Told before the key is sent.
  std::function<void(const std::string& text)> on_load = {};
  // A service that is busy or a spent quota is waited for, at most so long at a time.
  int patience_seconds = 0;
};

// Thread-safe.
class EnclaveLine {
 public:
  explicit EnclaveLine(LineParts parts);

  const std::string& model() const { return model_; }
  // Verifies the enclave, if that was not done yet; and it is the first to throw.
  VerifiedEnclave enclave();

  // OpenAI's chat completions; "model" is filled in. Errors as SealedClient's.
  SealedAnswer chat(const Json& request);
  AnswerProof stream(const Json& request, const std::function<bool(const Json&)>& on_chunk);
  // What answers this user there now: OpenAI's list of models, of none or one.
  Json models();
  // Sends the model's key; throws Error{kKey} where the user does not own the token.
  Json load();
  // The owner's: tells the enclave whom the owner authorised meanwhile. False where it does not
  // hold the model now: then load() will tell.
  bool introduce_users();
  // Takes the model out of the enclave's memory.
  Json unload();

 private:
  std::shared_ptr<SealedClient> line();
  void hang_up(const std::shared_ptr<SealedClient>& line);
  Json sealed_body(Json body, const SealedClient& line) const;
  Json with_model(const Json& request) const;
  void check_model(const Json& body) const;
  ModelKey owners_key();
  Json load_on(SealedClient& line);
  template <class Call>
  auto insist(const Call& call);

  LineParts parts_;
  std::string model_;
  std::mutex mutex_;  // of what follows, and of the parts' functions
  std::optional<VerifiedEnclave> enclave_;
  std::shared_ptr<SealedClient> line_;
};

}  // namespace ffe::inference
