#include "lm/fine_tune.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "lm/fine_tune_state.hpp"

namespace ffe::lm {
namespace {

H256 draw_seed(crypto::ChaChaRng& rng) {
  H256 out;
  for (size_t i = 0; i < 32; i += 4) {
    uint32_t word = rng.next_u32();
    for (size_t j = 0; j < 4; ++j) out[i + j] = static_cast<uint8_t>(word >> (8 * j));
  }
  return out;
}

OptimizerConfig with_plan(const FineTuneRecipe& recipe, size_t steps) {
  OptimizerConfig config = recipe.optimizer;
  config.total_steps = static_cast<uint32_t>(steps);
  if (recipe.warmup_share) {
    if (!(*recipe.warmup_share >= 0 && *recipe.warmup_share <= 1)) {
      throw Error(ErrorCode::kUsage, "the share of warm-up steps is not in [0, 1]");
    }
    config.warmup_steps =
        static_cast<uint32_t>(std::ceil(*recipe.warmup_share * static_cast<double>(steps)));
  }
  return config;
}

}  // namespace

StepPlan plan_steps(std::span<const Example> rows, uint32_t epochs, size_t tokens_per_step,
                    crypto::ChaChaRng& rng) {
  StepPlan steps;
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (uint32_t epoch = 0; epoch < epochs; ++epoch) {
    rng.shuffle(order);
    size_t room = 0;
    bool fresh = true;  // an epoch begins a step of its own: epochs differ in order only
    for (size_t i : order) {
      if (rows[i].target_count() == 0) continue;
      const size_t tokens = rows[i].tokens.size();
      if (fresh || tokens > room) {
        steps.emplace_back();
        room = tokens_per_step;
        fresh = false;
      }
      steps.back().push_back(i);
      room -= std::min(room, tokens);
    }
  }
  return steps;
}

FineTune::FineTune(const Engine& engine, const FineTuneRecipe& recipe,
                   std::span<const Example> rows, crypto::ChaChaRng rng)
    : engine_(engine), rows_(rows), trainer_(engine) {
  if (rows.empty()) throw Error(ErrorCode::kBadInput, "no rows to train on");
  if (recipe.epochs == 0) throw Error(ErrorCode::kUsage, "training of 0 epochs");
  const H256 init_seed = draw_seed(rng);
  const H256 dropout_seed = draw_seed(rng);
  plan_ = plan_steps(rows, recipe.epochs, recipe.tokens_per_step, rng);
  if (plan_.empty()) throw Error(ErrorCode::kBadInput, "no row has a target token");
  const auto targeted = static_cast<size_t>(std::count_if(
      rows.begin(), rows.end(), [](const Example& e) { return e.target_count() > 0; }));
  uint64_t seen = 0;
  for (size_t s = 0; s < plan_.size(); ++s) {
    seen += plan_[s].size();
    if (seen % targeted == 0) epoch_ends_.push_back(s + 1);
  }
  optimizer_ = with_plan(recipe, plan_.size());
  trainer_.add(make_adapter(engine.config(), recipe.lora, init_seed), optimizer_, dropout_seed);
}

uint64_t FineTune::epoch_of(uint64_t step) const {
  return static_cast<uint64_t>(std::upper_bound(epoch_ends_.begin(), epoch_ends_.end(), step) -
                               epoch_ends_.begin());
}

uint64_t FineTune::tokens_total() const {
  uint64_t tokens = 0;
  for (const auto& step : plan_) {
    for (size_t i : step) tokens += rows_[i].tokens.size();
  }
  return tokens;
}

const StepResult& FineTune::step() {
  if (steps_done() == steps_total()) throw Error(ErrorCode::kUsage, "the training is complete");
  std::vector<TrainItem> items;
  for (size_t i : plan_[steps_done()]) items.push_back({0, &rows_[i]});
  const StepResult result = trainer_.step(items).front();
  if (!std::isfinite(result.loss) || !std::isfinite(result.gradient_norm)) {
    throw Error(ErrorCode::kFailed,
                "step " + std::to_string(result.step + 1) + ": the loss is not finite",
                "train with a lower learning rate, or with clipping");
  }
  history_.push_back(result);
  return history_.back();
}

void FineTune::restore(ByteView checkpoint) {
  FineTuneState state = read_fine_tune_checkpoint(checkpoint);
  require_same_identity(state.identity, identity_);
  MultiTrainer trainer = MultiTrainer::restore(engine_, state.trainer);
  if (trainer.size() != 1 || trainer.steps(0) != state.history.size() ||
      state.history.size() > plan_.size()) {
    throw Error(ErrorCode::kBadInput, "checkpoint: its step count is not that of its history");
  }
  trainer_ = std::move(trainer);
  history_ = std::move(state.history);
  evaluations_ = std::move(state.evaluations);
}

Bytes FineTune::checkpoint() const {
  return write_fine_tune_checkpoint({identity_, history_, evaluations_, trainer_.checkpoint()});
}

void FineTune::save(const FineTuneRun& options) const {
  if (!options.checkpoint.empty()) write_file_atomic(options.checkpoint, checkpoint());
}

void FineTune::run(const FineTuneRun& options) {
  // Before any work: a folder that cannot be written shows now, not after hours.
  save(options);
  try {
    run_steps(options);
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kInterrupted) save(options);
    throw;
  }
}

void FineTune::run_steps(const FineTuneRun& options) {
  using Clock = std::chrono::steady_clock;
  auto saved = Clock::now();
  evaluate_if_due(options);
  while (steps_done() < steps_total()) {
    check_interrupt();
    const StepResult& result = step();
    if (options.on_step) options.on_step(result);
    evaluate_if_due(options);
    const std::chrono::duration<double> since = Clock::now() - saved;
    const bool by_steps =
        options.checkpoint_steps > 0 && steps_done() % options.checkpoint_steps == 0;
    if (by_steps || since.count() >= options.checkpoint_seconds) {
      save(options);
      saved = Clock::now();
    }
  }
}

void FineTune::evaluate_if_due(const FineTuneRun& options) {
  if (options.held_out.empty()) return;
  const uint64_t done = steps_done();
  const bool epoch_end = std::binary_search(epoch_ends_.begin(), epoch_ends_.end(), done);
  const bool due = done == 0 || done == steps_total() ||
                   (options.evaluate_every > 0 ? done % options.evaluate_every == 0 : epoch_end);
  if (!due || (!evaluations_.empty() && evaluations_.back().step == done)) return;
  const LoraAdapter current = adapter();
  std::vector<EvalItem> items;
  for (const Example& e : options.held_out) items.push_back({&current, &e});
  const std::vector<float> losses = engine_.row_losses(items, [&](uint64_t tokens, uint64_t total) {
    check_interrupt();
    report(options.evaluating, tokens, total);
  });
  evaluations_.push_back({done, mean_loss(losses, options.held_out)});
  if (options.on_evaluation) options.on_evaluation(evaluations_.back());
}

double mean_loss(std::span<const float> row_losses, std::span<const Example> rows) {
  double sum = 0;
  size_t targets = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const size_t n = rows[i].target_count();
    if (n == 0) continue;
    sum += static_cast<double>(row_losses[i]) * static_cast<double>(n);
    targets += n;
  }
  return sum / static_cast<double>(targets);
}

}  // namespace ffe::lm
