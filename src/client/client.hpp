// The C++ SDK: open a session, submit to it, take the model home. include/ffe/ffe.hpp exports it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.hpp"
#include "client/network.hpp"
#include "client/report_check.hpp"
#include "crypto/secp256k1.hpp"
#include "evm/erc20.hpp"
#include "evm/sender.hpp"
#include "session/artifact.hpp"
#include "session/chain.hpp"
#include "session/recipe.hpp"
#include "session/reports.hpp"
#include "storage/client.hpp"
#include "tee/verify.hpp"

namespace ffe::client {

// What a caller may show while it waits: a step begins, then counts.
struct Events {
  // verb: "Verifying", "Checking", "Encrypting", "Uploading", "Committing", …
  std::function<void(std::string_view verb, std::string_view text)> step;
  std::function<void(std::string_view verb, uint64_t done, uint64_t total)> progress;
};

// What an enclave takes, in bytes of plaintext, as its operator's service says.
struct ContributionLimits {
  uint64_t contribution = 0;
  uint64_t session = 0;  // shared evenly by the participants

  uint64_t each_of(size_t participants) const;
};

// Every link from the quote to the terms; the first that is broken decides.
struct EnclaveVerification {
  tee::Verification quote;
  std::vector<tee::Check> links;  // quote → code → release → registry → terms
  H256 enclave_id;
  H256 code_hash;
  Address signer;
  bool simulated = false;
  std::optional<ContributionLimits> limits;  // nothing where the service does not say

  bool accepted() const;
  // Throws Error{kAttestation} naming the broken link.
  void require() const;
};

struct OpenRequest {
  std::string enclave_url;
  std::vector<Address> participants;
  std::filesystem::path pool;    // JSONL, encrypted to the enclave
  std::filesystem::path sample;  // JSONL, public
  session::Recipe recipe;        // numeric_path "auto": the fastest that the enclave offers
  session::GatePolicy gate;
  uint64_t submit_seconds = 3600;
  uint32_t deliver_seconds = 86400;
  uint16_t quorum = 2;
  uint16_t min_accepted = 2;
  uint32_t max_rows = 1000;
  Address stake_token;  // an ERC-20; zero: the chain's own token. Fee and bond are always native
  evm::U256 stake;      // in the token's smallest unit
  evm::U256 fee;
  evm::U256 operator_bond;
  uint16_t slash_bps_harmful = 10000;
  uint16_t slash_bps_invalid = 2500;
  Address slash_recipient = session::kBurnAddress;
};

struct OpenResult {
  evm::U256 session_id;
  H256 session_hash;
  H256 tx_hash;
};

// What `check` found in a file of rows before anything is staked.
struct DataCheck {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t duplicates = 0;  // lines that stand in the file before
};

// What submit() is about to do and to cost, told before anything is encrypted, sent or paid.
struct SubmitPlan {
  session::OpenedSession opened;
  EnclaveVerification enclave;  // accepted
  DataCheck data;
  H256 data_sha256;
  session::Recipe recipe;
  // Who outside the enclave will see the accepted rows, as a sentence; empty: nobody. Then
  // SubmitOptions::accept_provider_sees_data is needed.
  std::string who_sees_rows;
  evm::Currency currency;  // what the stake is in
  evm::U256 stake;         // zero if an earlier submission holds it already
  bool replaces = false;   // an earlier submission of this account
  // An interrupted submission of these very rows is finished: what was paid and stored is not paid
  // or sent again.
  bool resumes = false;
  bool committed = false;     // nothing is left to do
  uint64_t blob_bytes = 0;    // encrypted and padded
  evm::U256 storage_fee;      // wei; zero if the blob was paid for
  evm::U256 gas_fee;          // wei, about, of all transactions
  evm::U256 balance;          // wei of the chain's own token
  uint64_t seconds_left = 0;  // until submissions close, by the chain's clock
};

struct SubmitOptions {
  // The contributor knows SubmitPlan::who_sees_rows and agrees.
  bool accept_provider_sees_data = false;
};

struct SubmitResult {
  DataCheck data;
  H256 blob_root;
  H256 data_hash;
  H256 tx_hash;
  evm::Currency currency;  // what the stake is in
  evm::U256 stake;
  std::optional<H256> approval_tx_hash;  // of an ERC-20 stake, where one was needed
  bool replaced = false;
  bool resumed = false;
};

struct DownloadResult {
  evm::U256 token_id;
  H256 artifact_root;
  H256 artifact_sha256;  // of the adapter's tar
  H256 adapter_sha256;   // of adapter_model.safetensors
  std::filesystem::path folder;
  session::TrainingReport report;
};

// What a token's buyer gives its seller (docs/spec/artifact.md); nothing in it is secret.
struct KeyRequest {
  evm::U256 token_id;
  Address receiver;
  Bytes key;              // the receiver's owner key
  uint64_t deadline = 0;  // unix seconds
  H256 salt;
  crypto::Signature signature;  // the receiver's, over AccessProof
};
Json to_json(const KeyRequest& request);
KeyRequest key_request_from_json(const Json& json);  // Error{kBadInput} naming the member

struct Status {
  session::OpenedSession opened;
  session::SessionView view;
  std::vector<session::Submission> submissions;
  std::vector<session::SlashRecord> slashes;
  std::optional<session::FinalRecord> result;
  std::optional<session::AbortRecord> aborted;
  std::optional<session::FailRecord> failed;
  std::vector<session::ContributorVerdict> verdicts;
  evm::Currency currency;  // what stakes are in
};

// Reads every row; throws Error{kBadInput} "<file>:<line>:<column>: …" for a broken one and for an
// empty file.
DataCheck check_data(const std::filesystem::path& file);

// What a storage client needs of a network.
storage::ClientOptions storage_options(const Network& network);

// An enclave that was verified in full, its service, and the key that its signer vouches for.
struct ServiceKeyHolder {
  std::string url;
  EnclaveVerification enclave;
  FixedBytes<32> key;  // X25519: what only this enclave may read is sealed to it
};

// One account on one network. Not thread-safe.
class Client {
 public:
  // Checks that the endpoint's chain is the network's. The key signs and pays; it never leaves.
  Client(Network network, const crypto::PrivateKey& key);

  const Network& network() const { return network_; }
  const Address& address() const { return sender_.address(); }
  session::Coordinator& coordinator() { return coordinator_; }
  session::Registry& registry() { return registry_; }
  session::Inft& inft() { return inft_; }
  evm::RpcClient& rpc() { return rpc_; }
  storage::Client& storage() { return storage_; }
  evm::Sender& sender() { return sender_; }

  // Takes the registered quote from the chain, collateral and event log from the enclave's service
  // (where none answers, collateral from Intel's), verifies everything off chain. `terms`: compared
  // too, if given. Remembers the newest collateral in data_dir()/attestation.json and refuses
  // older.
  EnclaveVerification verify_enclave(const H256& enclave_id,
                                     const session::SessionTerms* terms = nullptr);

  // Encrypts and uploads the pool, uploads the sample, obtains the enclave's offer, opens.
  OpenResult open_session(const OpenRequest& request, const Events& events = {});

  // Verifies the enclave, checks the rows and the account's funds; sends nothing. Throws
  // Error{kSession} if this account cannot submit any more, kAttestation, kBadInput, kChain.
  SubmitPlan plan_submission(const evm::U256& session_id, const std::filesystem::path& data,
                             const Events& events = {});
  // Encrypts, uploads, commits with the stake (after an ERC-20 approval of exactly that amount), as
  // planned. Nothing is encrypted to an enclave that was not verified. A later submission of other
  // rows replaces the blob. The encrypted blob lies in data_dir()/submissions until it is
  // committed, so that the same call after an interruption goes on where it stopped. Throws
  // Error{kUsage} if the rows would leave the enclave and `options` do not accept that.
  SubmitResult submit(const SubmitPlan& plan, const std::filesystem::path& data,
                      const Events& events = {}, const SubmitOptions& options = {});
  SubmitResult submit(const evm::U256& session_id, const std::filesystem::path& data,
                      const Events& events = {}, const SubmitOptions& options = {});
  evm::Receipt withdraw(const evm::U256& session_id);

  // INFT → sealed key → adapter folder (which must not exist yet); verifies every hash on the way.
  // Throws Error{kKey} if this account owns no token of the session, kSession while there is none.
  DownloadResult download(const evm::U256& session_id, const std::filesystem::path& folder,
                          const Events& events = {});

  // Asks that a token's key be sealed for this account; for the seller.
  KeyRequest request_key(const evm::U256& token_id, uint64_t valid_seconds = 7 * 86400);
  // Moves this account's token to the requester, its key sealed anew by an enclave that runs the
  // session's code and is verified first. Who had the key may keep a copy. Throws Error{kKey} for a
  // request that is late, of another token or not signed by its receiver, kAttestation if no
  // enclave will do.
  evm::Receipt transfer(const evm::U256& token_id, const KeyRequest& request,
                        const Events& events = {});

  // An enclave of the network that serves the token's model to its co-owners (docs/spec/
  // sealed-inference.md): it is verified, runs a published release and holds the base model. Throws
  // Error{kAttestation} saying why there is none.
  ServiceKeyHolder find_inference(const evm::U256& token_id, const Events& events = {});
  // The artifact's key of this account's token. Throws Error{kKey}.
  SecretBytes model_key(const evm::U256& token_id);

  Status status(const evm::U256& session_id);
  evm::Receipt claim(const evm::U256& session_id);

  // All that anyone can fetch about a settled session, for check_record(). Throws Error{kSession}
  // while it has no result.
  PublicRecord public_record(const evm::U256& session_id);

  // The service's own words about a running session; null where it does not answer.
  Json enclave_status(const evm::U256& session_id);

 private:
  void require_fits(const SubmitPlan& plan, const std::filesystem::path& data);
  void require_funds(const SubmitPlan& plan);
  H256 commit(const SubmitPlan& plan, const H256& blob_root, SubmitResult& out,
              const Events& events);
  SecretBytes model_key(const session::OpenedSession& opened, const session::TokenView& token);
  ServiceKeyHolder service_key(const std::string& url, EnclaveVerification enclave);
  // The first of the network's enclaves that `fits`, which throws Error saying why one does not.
  using Fits = std::function<void(const Json& evidence, const EnclaveVerification& enclave)>;
  ServiceKeyHolder find_enclave(const std::string& purpose, const Fits& fits);
  struct OperatorsPart {
    tee::Evidence evidence;
    tee::Collateral collateral;
    std::optional<ContributionLimits> limits;
  };
  // The newest registration or renewal on chain. Throws Error{kAttestation} if there is none, or if
  // other contracts made all of them.
  struct OnChain {
    session::Registry::Registration newest;
    std::vector<H256> older;  // transactions, newest first
  };
  OnChain on_chain(const H256& enclave_id);
  // The newest quote with certificates: its own or, where it was cut, those of an older quote by
  // the same key.
  Bytes whole_quote(const OnChain& chain);
  Bytes ext_of(const session::Registry::Registration& newest, const Address& signer);
  // The quote with the event log and collateral of the enclave's service; from the chain and from
  // Intel if none answers.
  OperatorsPart ask_operator(const H256& enclave_id, const OnChain& chain);
  Json ask_enclave(const std::string& url, const std::string& path, const Json* body = nullptr);

  Network network_;
  evm::RpcClient rpc_;
  evm::Sender sender_;
  session::Coordinator coordinator_;
  session::Registry registry_;
  session::Inft inft_;
  storage::Client storage_;
  net::HttpClient http_;
};

}  // namespace ffe::client
