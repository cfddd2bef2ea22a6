// A devnet on the tiny model of tests/e2e/learned_model.py, its parties, and ways to send the
// enclave whatever a party may think of. All of it can be put back to an earlier moment.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "client/client.hpp"
#include "devnet/devnet.hpp"

namespace ffe::sessions {

// What must not depend on when the service died.
struct Outcome {
  session::SessionState state = session::SessionState::kNone;
  H256 artifact_root, gate_root, report_root, seed;
  std::vector<std::string> verdicts;  // "accept", "reject invalid", …, in sealing order
  size_t slashes = 0;
  size_t tokens = 0;

  bool operator==(const Outcome&) const = default;
};
std::string text(const Outcome& outcome);

class World {
 public:
  // `model`: the folder that learned_model.py wrote. `settings`: further lines of the service's
  // configuration, with their tables.
  // `provider`: with 0G Compute and a provider, started with these words, that trains the sessions.
  explicit World(const std::filesystem::path& model, const std::string& settings = "",
                 const std::optional<std::vector<std::string>>& provider = std::nullopt);

  // A session of so many new parties on the model's pool; it is sealed when all have submitted.
  void open(size_t parties, const session::GatePolicy& gate = quick_gate(),
            uint32_t deliver_seconds = 14 * 86400);
  static session::GatePolicy quick_gate();
  client::Client& opener() { return *opener_; }
  client::Client& party(size_t i) { return *parties_.at(i); }
  size_t parties() const { return parties_.size(); }
  const evm::U256& session_id() const { return session_id_; }

  // A file of the model's folder by name, sent as an honest client does, with all its checks.
  void submit(size_t party, const std::string& file,
              const client::SubmitOptions& options = {.accept_provider_sees_data = true});
  // Any bytes as rows, in a blob as it should be.
  void submit_rows(size_t party, std::string_view jsonl);
  // Any bytes as blob.
  void submit_blob(size_t party, ByteView blob);
  // Somebody's blob, or none at all.
  void commit(size_t party, const H256& blob_root);

  // Other words in the service's configuration, from its next start on; throws without `from`.
  void configure(const std::string& from, const std::string& to);

  devnet::Devnet& net() { return *net_; }
  std::filesystem::path dir() const { return net_dir_; }
  const std::filesystem::path& model() const { return model_; }
  bool over();
  // Waits until the service has an error to tell about the session, and returns it.
  std::string error_of_service(int seconds = 20);
  // Waits for the session's end; throws Error{kFailed} with the service's last words.
  Outcome finish(int seconds = 120);
  Outcome outcome();
  // What the enclave has written about each contributor, by address; fetched and checked.
  std::vector<session::GateFinding> findings();
  // The certificates that the service has signed so far; empty where it does not answer.
  std::vector<std::string> certificates();
  // Transactions of the operator's account.
  uint64_t operator_transactions();
  // The enclave's account at 0G Compute, once it was given money; nothing before.
  std::optional<Address> compute_wallet();
  // Tasks that the provider holds or held.
  size_t provider_tasks();

  // Stops everything and keeps its data; restore() goes back there, with chain and storage running
  // and the service not. An enclave that is left out remembers what happened since.
  void save();
  void restore(bool enclave_too = true);

 private:
  std::unique_ptr<client::Client> new_party();

  TempDir folder_{"ffe-sessions"};
  std::filesystem::path model_, net_dir_;
  bool provider_;
  std::unique_ptr<devnet::Devnet> net_;
  std::unique_ptr<client::Client> opener_;
  std::vector<std::unique_ptr<client::Client>> parties_;
  evm::U256 session_id_;
  std::string session_tag_;
};

// The folder that FFE_LEARNED_MODEL names; throws Error{kUsage} without it.
std::filesystem::path learned_model();

// A blob's header and then noise: the bytes are all there and do not open.
Bytes noise_blob(size_t body = 4096);

}  // namespace ffe::sessions
