// Trainer "0g-compute": the accepted rows go to the 0G Compute provider that the recipe names, and
// an adapter comes back (docs/spec/compute.md). Task and deadline are in the journal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aggregator/compute_wallet.hpp"
#include "aggregator/job_context.hpp"
#include "compute/task_run.hpp"
#include "lm/adapter_file.hpp"
#include "lm/rows.hpp"
#include "session/recipe.hpp"

namespace ffe::aggregator {

// What this service agrees to: throws Error{kBadInput} if it has no account at 0G Compute, the fee
// may be more than the operator allows, or rows would travel unprotected.
void check_trainer(const session::Recipe& recipe, const Config& config, uint64_t chain_id);

// The rows as the provider takes them: instruction, input, output. A conversation's system prompt
// and earlier turns, which it would drop, are the input.
std::string provider_rows(const std::vector<const lm::Row*>& rows);

// A session's part of the journal as a task's record.
class SessionRecord : public compute::JobRecord {
 public:
  SessionRecord(Journal& journal, std::string scope, unsigned attempt);
  std::optional<std::string> get(std::string_view key) const override;
  void put(std::string_view key, const std::string& value) override;
  std::string place() const override { return "the enclave's journal"; }
  std::string how_to_go_on() const override { return "the enclave does so by itself"; }

 private:
  Journal& journal_;
  std::string scope_, prefix_;
};

class ProviderTraining {
 public:
  // `deadline`: Unix seconds, of the session's delivery. Context and recipe must outlive this.
  ProviderTraining(JobContext& context, const session::Recipe& recipe, std::string scope,
                   std::string id, uint64_t deadline);

  // Where the rows are with the provider already, they are not needed to wait for it: throws
  // Waiting as long as it works. Otherwise does nothing.
  void wait();
  // From rows to adapter. `rows` is asked for JSONL, the same each time, until it was sent. Throws
  // Waiting while the provider works, Error with a reason for contributors.
  lm::LoraAdapter train(const std::function<std::string()>& rows, const lm::ModelConfig& model);

 private:
  void advance(const std::function<std::string()>& rows);
  void step(compute::TaskRun& task);
  compute::TaskOptions options() const;
  unsigned attempt() const;
  std::filesystem::path encrypted() const;
  lm::LoraAdapter open(const lm::ModelConfig& model);

  JobContext& context_;
  const session::Recipe& recipe_;
  std::string scope_, id_;
  uint64_t deadline_;
  ComputeWallet wallet_;
  SessionRecord record_;
  std::unique_ptr<compute::TaskRun> task_;
};

// Why the last attempt to train at the provider failed; empty if it did not.
std::string reason_of_provider(const Journal& journal, const std::string& scope);
// What a session leaves on the disk: an encrypted model.
void forget_provider_files(const Config& config, const std::string& scope);

}  // namespace ffe::aggregator
