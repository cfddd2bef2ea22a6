// A fine-tuning provider of 0G Compute on this machine, for local networks: how it is set up, and
// what it is told to do wrong.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compute/chain.hpp"
#include "storage/client.hpp"

namespace ffe::provider {

// What real providers, networks and attackers do. Each happens to every task, or to the first
// request, as named.
enum class Fault {
  kTruncated,      // the delivered file ends early
  kFlippedBit,     // one bit of the delivered file is wrong
  kWrongSigner,    // the tags are signed by another key
  kWrongRoot,      // the chain names another file
  kWrongKey,       // the published key is for another wallet
  kWrongHash,      // an uploaded dataset is confirmed under another hash
  kBusy,           // the first two downloads get 503
  kLimited,        // the first dataset and the first download get 429
  kDisconnect,     // the first two downloads break off in the middle
  kNoRange,        // a download always begins at the start
  kLostAnswer,     // the answer to the first task never arrives, but the task is taken
  kRegress,        // the first attempt to deliver fails: the state goes back
  kTrainingFails,  // every task ends as Failed
  kForceSettle,    // settles with the penalty as soon as it has delivered
  kRotateSigner,   // another signer is announced after the delivery
  // Of inference:
  kLimitedAnswers,     // the first two requests get 429
  kBusyAnswers,        // the first two requests get 503
  kSlowAnswers,        // the first answer takes three seconds longer
  kCutStream,          // a streamed answer breaks off
  kSwappedModel,       // the answer names another model
  kWrongAnswerSigner,  // answers are signed by another key
  kOtherProof,         // the signature is about another answer
  kUnsignedAnswers,    // signatures are never to be had
  kLateSignatures,     // the first two questions for a signature get 404
};
std::string_view fault_name(Fault fault);  // "truncated", "wrong-signer", …
// Throws Error{kUsage} that lists the names.
Fault fault_from_name(std::string_view name);
const std::vector<Fault>& all_faults();

// What a deliverable's modelRootHash is.
enum class RootKind { kKeccak, kStorage, kStorageText };

struct ProviderOptions {
  std::filesystem::path dir;    // datasets and tasks
  std::filesystem::path model;  // the base model behind every hash
  int threads = 0;              // of training; 0: all cores
  std::string rpc_url;
  compute::Contracts contracts;
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any free one
  // 0G's providers look every minute.
  std::chrono::milliseconds poll{60'000};
  evm::U256 price_per_token{800'000'000'000};  // wei
  size_t max_queue = 5;
  uint64_t acknowledge_within = 6 * 3600;  // seconds; at most half of the contract's lock time
  double requests_per_second = 0;  // of quote, dataset and download per address; 0: no limit
  unsigned burst = 2;
  bool legacy_report_data = false;  // what /v1/quote shows unless it is asked
  RootKind root = RootKind::kKeccak;
  storage::ClientOptions storage;  // nodes; for datasets by root and RootKind::kStorage
  uint64_t chunk = 0;              // of the encrypted file; 0: 0G's 64 MiB
  std::set<Fault> faults;
  Address inference;  // 0G's inference contract; zero: no inference is offered
  std::string inference_model = "local-model";

  bool has(Fault fault) const { return faults.contains(fault); }
};

// The key of 0G's mock TEE, public knowledge: signs for the emulator's enclave.
crypto::PrivateKey mock_tee_key();

}  // namespace ffe::provider
