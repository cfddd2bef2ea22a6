// One fine-tuning task at a 0G Compute provider, from rows to an encrypted model that is checked
// and acknowledged: in steps that never wait, taken up again where a crash left them.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.hpp"
#include "base/secret.hpp"
#include "compute/chain.hpp"
#include "compute/dataset.hpp"
#include "compute/job_record.hpp"
#include "compute/provider_client.hpp"
#include "compute/quote.hpp"
#include "storage/client.hpp"

namespace ffe::compute {

struct TaskSpec {
  Address provider;
  DatasetWay way = DatasetWay::kUpload;
  std::string base_model;  // a name of base_models(), or a hash
  TrainingParams params;
  evm::U256 max_fee;   // wei: a task that turns out to cost more is cancelled
  bool queue = false;  // wait behind other users' tasks
};

struct TaskEvents {
  // Something was done or found, as a sentence without a final stop.
  std::function<void(const std::string& text)> step;
  // The provider's state, when it changes.
  std::function<void(const std::string& state)> state;
  Progress downloading;
};

struct TaskOptions {
  // A provider settles with a penalty and keeps the key when nobody acknowledges in time. The time
  // is the provider's to choose: 6 hours were seen, and never more than half of the lock time.
  uint64_t acknowledge_within = 6 * 3600;  // seconds
  ProviderOptions provider;
  // Nodes for the dataset (DatasetWay::kStorage) and the model; may be empty otherwise.
  storage::ClientOptions storage;
  // Tokens of a text under the base model's tokenizer, for the fee's estimate; may be empty.
  std::function<size_t(std::string_view)> tokens;
  // What must hold of the evidence beyond check_quote(); throws Error{kAttestation}. Empty:
  // verify_dcap().
  std::function<void(const QuoteCheck&)> verify;
  // Who and where the provider must be; a chain that names others is not believed.
  std::optional<Address> expected_signer;
  std::optional<std::string> expected_url;
};

// The task is over without a model. Nothing was charged, another one may succeed unless it was
// `cancelled` for its price.
class TaskEnded : public Error {
 public:
  TaskEnded(bool cancelled, const std::string& message, std::string hint)
      : Error(ErrorCode::kSession, message, std::move(hint)), cancelled(cancelled) {}
  bool cancelled;
};

// The quote's signature up to Intel's root, with collateral from Intel's service. Does nothing for
// a mock, which check_quote() lets pass on local networks only.
void verify_dcap(const QuoteCheck& check);

class TaskRun {
 public:
  // Writes what the task is about into an empty record. Checks what can be checked without asking
  // anybody. Throws Error{kUsage}, {kBadInput}.
  static void begin(JobRecord& record, const TaskSpec& spec, ByteView rows, uint64_t chain_id,
                    const Address& user);

  // `rows` gives the JSONL file that begin() saw; asked for as long as it was not sent. The
  // encrypted model goes to `encrypted`. `user` pays, and only its key opens the model. Record and
  // user must outlive this.
  TaskRun(JobRecord& record, std::function<Bytes()> rows, std::filesystem::path encrypted,
          evm::Sender& user, const Contracts& contracts, TaskOptions options, TaskEvents events);
  ~TaskRun();

  // As far as it goes without waiting for the provider; true once the model is here, checked and
  // acknowledged, and its key is published. Throws, and can be called again: kChain (money),
  // kAttestation, kSession (TaskEnded, or settled without us), kCorrupt (what was delivered is not
  // what was promised: it is not acknowledged), kNetwork.
  bool advance();
  // What advance() waits for, as a sentence without a final stop.
  const std::string& waiting_for() const;

  // After advance() gave true: what opens the file, and who signed it.
  SecretBytes model_key() const;
  Address signer() const;

  // Frees the provider's queue for this user without the model, at the full fee: for a file that
  // cannot be had any more.
  void acknowledge_unseen();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::compute
