#include "aggregator/training.hpp"

#include <cmath>
#include <numeric>

#include "lm/trainer.hpp"

namespace ffe::aggregator {
namespace {

H256 draw_seed(crypto::ChaChaRng& rng) {
  H256 out;
  for (size_t i = 0; i < 32; i += 4) {
    uint32_t word = rng.next_u32();
    for (size_t j = 0; j < 4; ++j) out[i + j] = static_cast<uint8_t>(word >> (8 * j));
  }
  return out;
}

using Step = std::vector<const lm::Example*>;

std::vector<Step> plan_steps(const session::Recipe& recipe, std::span<const lm::Example> rows,
                             crypto::ChaChaRng& rng) {
  std::vector<Step> steps;
  std::vector<size_t> order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  for (uint32_t epoch = 0; epoch < recipe.epochs; ++epoch) {
    rng.shuffle(order);
    size_t room = 0;
    for (size_t i : order) {
      size_t tokens = rows[i].tokens.size();
      // An epoch begins a step of its own, so that epochs differ in order only.
      if (i == order.front() || tokens > room) {
        steps.emplace_back();
        room = recipe.tokens_per_step;
      }
      steps.back().push_back(&rows[i]);
      room -= std::min(room, tokens);
    }
  }
  return steps;
}

}  // namespace

int64_t to_micro_nats(double nats) {
  return static_cast<int64_t>(std::floor(nats * 1e6));
}

lm::LoraConfig lora_config(const session::Recipe& recipe) {
  lm::LoraConfig config;
  config.rank = recipe.rank;
  config.alpha = recipe.alpha;
  config.dropout = recipe.dropout_micro * 1e-6;
  config.targets.reset();
  for (const std::string& target : recipe.targets) {
    config.targets.set(static_cast<size_t>(lm::projection_from_name(target + "_proj")));
  }
  return config;
}

lm::OptimizerConfig optimizer_config(const session::Recipe& recipe, uint32_t total_steps) {
  lm::OptimizerConfig config;
  config.learning_rate = recipe.learning_rate_nano * 1e-9;
  config.weight_decay = recipe.weight_decay_micro * 1e-6;
  config.clip = recipe.clip_micro * 1e-6;
  config.schedule = lm::schedule_from_name(recipe.schedule);
  config.warmup_steps = recipe.warmup_steps;
  config.total_steps = total_steps;
  return config;
}

JointTraining train_joint(const lm::Engine& engine, const session::Recipe& recipe,
                          std::span<const lm::Example> rows, crypto::ChaChaRng rng,
                          const Progress& progress) {
  if (rows.empty()) throw Error(ErrorCode::kBadInput, "no rows to train on");
  H256 init_seed = draw_seed(rng);
  H256 dropout_seed = draw_seed(rng);
  std::vector<Step> steps = plan_steps(recipe, rows, rng);

  lm::MultiTrainer trainer(engine);
  uint32_t index =
      trainer.add(lm::make_adapter(engine.config(), lora_config(recipe), init_seed),
                  optimizer_config(recipe, static_cast<uint32_t>(steps.size())), dropout_seed);
  JointTraining out;
  uint64_t done = 0;
  uint64_t total = uint64_t{recipe.epochs} * rows.size();
  report(progress, 0, total);
  for (const Step& step : steps) {
    std::vector<lm::TrainItem> items;
    for (const lm::Example* row : step) items.push_back({index, row});
    lm::StepResult result = trainer.step(items).front();
    out.loss_curve.push_back(to_micro_nats(result.loss));
    out.tokens += result.tokens;
    out.target_tokens += result.targets;
    done += step.size();
    report(progress, done, total);
  }
  out.adapter = trainer.adapter(index);
  return out;
}

}  // namespace ffe::aggregator
