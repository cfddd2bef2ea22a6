// One fine-tuning task at a 0G Compute provider, from a dataset to a PEFT folder: checked before it
// costs anything, acknowledged in time, and taken up again where a crash or Ctrl-C left it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "compute/archive.hpp"
#include "compute/chain.hpp"
#include "compute/dataset.hpp"
#include "compute/job_journal.hpp"
#include "compute/provider_client.hpp"
#include "compute/quote.hpp"
#include "storage/client.hpp"

namespace ffe::compute {

struct JobSpec {
  Address provider;
  std::filesystem::path dataset;
  DatasetWay way = DatasetWay::kUpload;
  std::string base_model;  // a name of base_models(), or a hash
  TrainingParams params;
  evm::U256 max_fee;   // wei: a task that turns out to cost more is cancelled
  bool queue = false;  // wait behind other users' tasks
};

struct JobEvents {
  // Something was done or found, as a sentence without a final stop.
  std::function<void(const std::string& text)> step;
  // The provider's state, when it changes.
  std::function<void(const std::string& state)> state;
  Progress downloading;
};

struct JobOptions {
  std::chrono::milliseconds poll{15'000};
  // A provider settles with a penalty and keeps the key when nobody acknowledges in time. The time
  // is the provider's to choose: 6 hours were seen, and never more than half of the lock time.
  uint64_t acknowledge_within = 6 * 3600;  // seconds
  std::chrono::seconds give_up{0};         // without a delivery, or without its key; 0: never
  ProviderOptions provider;
  // Nodes for the dataset (DatasetWay::kStorage) and the model; may be empty otherwise.
  storage::ClientOptions storage;
  // Tokens of a text under the base model's tokenizer, for the fee's estimate; may be empty.
  std::function<size_t(std::string_view)> tokens;
  // What must hold of the evidence beyond check_quote(); throws Error{kAttestation}. Empty:
  // verify_dcap().
  std::function<void(const QuoteCheck&)> verify;
};

// The quote's signature up to Intel's root, with collateral from Intel's service. Does nothing for
// a mock, which check_quote() lets pass on local networks only.
void verify_dcap(const QuoteCheck& check);

class Job {
 public:
  // A new job in an empty or new folder. Checks what can be checked without asking anybody, and
  // writes the journal. Throws Error{kUsage}, {kBadInput}.
  static void create(const std::filesystem::path& folder, const JobSpec& spec, uint64_t chain_id,
                     const Address& user);

  // Takes up the job in `folder`. `user` pays, and only its key opens the model.
  Job(const std::filesystem::path& folder, evm::Sender& user, const Contracts& contracts,
      JobOptions options, JobEvents events);
  ~Job();

  // Until the adapter lies in "<folder>/adapter", which is returned. Throws, and can be called
  // again in a new Job: kChain (money), kAttestation, kSession (failed, cancelled, settled without
  // us), kCorrupt (what was delivered is not what was promised: it is not acknowledged), kNetwork.
  std::filesystem::path run();

  // Frees the provider's queue for this user without the model, at the full fee: for a file that
  // cannot be had any more.
  void acknowledge_unseen();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::compute
