// The joint training: one LoRA on the union of what the gate accepted.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

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

// Rows done and to do, all epochs, and the loss of each step so far, in micro-nats.
using TrainingProgress =
    std::function<void(uint64_t done, uint64_t total, std::span<const int64_t> losses)>;

// lm::FineTune with the recipe. Throws Error{kBadInput} if there are no rows.
JointTraining train_joint(const lm::Engine& engine, const session::Recipe& recipe,
                          std::span<const lm::Example> rows, crypto::ChaChaRng rng,
                          const TrainingProgress& progress = {});

// Nats to micro-nats, rounded toward minus infinity.
int64_t to_micro_nats(double nats);

}  // namespace ffe::aggregator
