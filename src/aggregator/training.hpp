// The joint training: one LoRA on the union of what the gate accepted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.hpp"
#include "crypto/random.hpp"
#include "lm/fine_tune.hpp"
#include "session/recipe.hpp"

namespace ffe::aggregator {

lm::FineTuneRecipe fine_tune_recipe(const session::Recipe& recipe);

struct JointTraining {
  lm::LoraAdapter adapter;
  std::vector<int64_t> loss_curve;  // micro-nats, one per step
  uint64_t tokens = 0;              // read, all epochs
  uint64_t target_tokens = 0;       // of these, in the loss
};

// lm::FineTune with the recipe. Progress counts rows. Throws Error{kBadInput} if there are no rows.
JointTraining train_joint(const lm::Engine& engine, const session::Recipe& recipe,
                          std::span<const lm::Example> rows, crypto::ChaChaRng rng,
                          const Progress& progress = {});

// Nats to micro-nats, rounded toward minus infinity.
int64_t to_micro_nats(double nats);

}  // namespace ffe::aggregator
