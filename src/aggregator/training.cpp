#include "aggregator/training.hpp"

#include <cmath>

namespace ffe::aggregator {

int64_t to_micro_nats(double nats) {
  return static_cast<int64_t>(std::floor(nats * 1e6));
}

lm::FineTuneRecipe fine_tune_recipe(const session::Recipe& recipe) {
  lm::FineTuneRecipe out;
  out.lora.rank = recipe.rank;
  out.lora.alpha = recipe.alpha;
  out.lora.dropout = recipe.dropout_micro * 1e-6;
  out.lora.targets.reset();
  for (const std::string& target : recipe.targets) {
    out.lora.targets.set(static_cast<size_t>(lm::projection_from_name(target + "_proj")));
  }
  out.optimizer.learning_rate = recipe.learning_rate_nano * 1e-9;
  out.optimizer.weight_decay = recipe.weight_decay_micro * 1e-6;
  out.optimizer.clip = recipe.clip_micro * 1e-6;
  out.optimizer.schedule = lm::schedule_from_name(recipe.schedule);
  out.optimizer.warmup_steps = recipe.warmup_steps;
  out.epochs = recipe.epochs;
  out.tokens_per_step = recipe.tokens_per_step;
  return out;
}

JointTraining train_joint(const lm::Engine& engine, const session::Recipe& recipe,
                          std::span<const lm::Example> rows, crypto::ChaChaRng rng,
                          const TrainingProgress& progress) {
  lm::FineTune tuning(engine, fine_tune_recipe(recipe), rows, std::move(rng));
  uint64_t total = 0;
  for (uint64_t s = 0; s < tuning.steps_total(); ++s) total += tuning.rows_in_step(s);
  JointTraining out;
  uint64_t done = 0;
  if (progress) progress(0, total, {});
  lm::FineTuneRun run;
  run.on_step = [&](const lm::StepResult& result) {
    out.loss_curve.push_back(to_micro_nats(result.loss));
    out.tokens += result.tokens;
    out.target_tokens += result.targets;
    done += tuning.rows_in_step(result.step);
    if (progress) progress(done, total, out.loss_curve);
  };
  tuning.run(run);
  out.adapter = tuning.adapter();
  return out;
}

}  // namespace ffe::aggregator
