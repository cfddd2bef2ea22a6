// One LoRA adapter trained on one set of rows, from the first step to the last: steps by token
// budget, epochs, evaluations on held-out rows, checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/json.hpp"
#include "base/progress.hpp"
#include "crypto/random.hpp"
#include "lm/engine.hpp"
#include "lm/lora.hpp"
#include "lm/optimizer.hpp"
#include "lm/trainer.hpp"

namespace ffe::lm {

struct FineTuneRecipe {
  LoraConfig lora;
  OptimizerConfig optimizer;  // total_steps is set by the plan
  // Instead of optimizer.warmup_steps: this share of all steps, rounded up.
  std::optional<double> warmup_share;
  uint32_t epochs = 1;
  size_t tokens_per_step = 1024;
};

// Indices of the rows of each step.
using StepPlan = std::vector<std::vector<size_t>>;

// Every epoch shuffles the rows anew and begins a step of its own; a step takes rows in that order
// while they fit `tokens_per_step` (a longer row is a step of its own). Rows without a target are
// left out.
StepPlan plan_steps(std::span<const Example> rows, uint32_t epochs, size_t tokens_per_step,
                    crypto::ChaChaRng& rng);

// Mean loss over all target tokens of the held-out rows, in nats, after `step` steps.
struct Evaluation {
  uint64_t step = 0;
  double loss = 0;

  bool operator==(const Evaluation&) const = default;
};

struct FineTuneRun {
  std::span<const Example> held_out;  // empty: no evaluations
  uint64_t evaluate_every = 0;        // steps; 0: at the end of each epoch. Also before the first
                                      // step and after the last
  std::filesystem::path checkpoint;   // file; empty: none are written
  double checkpoint_seconds = 60;     // at most this much work is lost
  uint64_t checkpoint_steps = 0;      // besides, every so many steps; 0: never
  std::function<void(const StepResult&)> on_step;  // may throw to stop, as a Progress
  std::function<void(const Evaluation&)> on_evaluation;
  Progress evaluating;  // tokens of one evaluation
};

// Which bits come out depends on the engine's path and train_tokens, recipe, rows and `rng` only:
// not on threads, evaluations, or how often the work was interrupted and resumed.
class FineTune {
 public:
  // `engine` and `rows` must outlive it. Draws from `rng`, in this order: 32 bytes for the initial
  // matrices, 32 for dropout, then one shuffle per epoch. Throws Error{kBadInput} if no row has a
  // target, Error{kUsage} for a recipe out of range.
  FineTune(const Engine& engine, const FineTuneRecipe& recipe, std::span<const Example> rows,
           crypto::ChaChaRng rng);

  // What this job is, for checkpoints: an object whose members name model, data and recipe. A
  // checkpoint resumes a job of equal identity only.
  void set_identity(Json identity) { identity_ = std::move(identity); }

  // Continues from a checkpoint. Throws Error{kUsage} naming the first member of the identity that
  // differs; kBadInput or kCorrupt if it is no whole checkpoint.
  void restore(ByteView checkpoint);
  // Format: docs/spec/checkpoint.md.
  Bytes checkpoint() const;

  // All steps that are left. An Error{kInterrupted} from a callback, or Ctrl-C as interrupt.hpp
  // sees it, ends it after a last checkpoint and comes out. Throws Error{kFailed} when a loss is
  // not finite: the checkpoint before it stands.
  void run(const FineTuneRun& options);
  // The next step alone.
  const StepResult& step();

  uint64_t steps_done() const { return history_.size(); }
  uint64_t steps_total() const { return plan_.size(); }
  uint64_t rows_in_step(uint64_t step) const { return plan_[step].size(); }
  uint64_t epoch_of(uint64_t step) const;  // from 0
  uint64_t tokens_total() const;           // of all epochs
  const OptimizerConfig& optimizer() const { return optimizer_; }
  const std::vector<StepResult>& history() const { return history_; }
  const std::vector<Evaluation>& evaluations() const { return evaluations_; }
  LoraAdapter adapter() const { return trainer_.adapter(0); }

 private:
  void run_steps(const FineTuneRun& options);
  void evaluate_if_due(const FineTuneRun& options);
  void save(const FineTuneRun& options) const;

  const Engine& engine_;
  std::span<const Example> rows_;
  StepPlan plan_;
  std::vector<uint64_t> epoch_ends_;  // steps done at the end of each
  OptimizerConfig optimizer_;
  MultiTrainer trainer_;
  Json identity_ = Json::object();
  std::vector<StepResult> history_;
  std::vector<Evaluation> evaluations_;
};

// Mean loss over all target tokens; also of one row: row_losses weighted by its targets.
double mean_loss(std::span<const float> row_losses, std::span<const Example> rows);

// Throws Error{kUsage} that names the first member in which `now` differs from `before`.
void require_same_identity(const Json& before, const Json& now);

}  // namespace ffe::lm
