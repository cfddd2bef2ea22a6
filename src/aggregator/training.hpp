// The joint training: one LoRA on the union of what the gate accepted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/progress.hpp"
#include "crypto/random.hpp"
#include "lm/engine.hpp"
#include "lm/lora.hpp"
#include "lm/optimizer.hpp"
#include "session/recipe.hpp"

namespace ffe::aggregator {

lm::LoraConfig lora_config(const session::Recipe& recipe);
lm::OptimizerConfig optimizer_config(const session::Recipe& recipe, uint32_t total_steps);

struct JointTraining {
  lm::LoraAdapter adapter;
  std::vector<int64_t> loss_curve;  // micro-nats, one per step
  uint64_t tokens = 0;              // read, all epochs
  uint64_t target_tokens = 0;       // of these, in the loss
};

// Draws from `rng`, in this order: 32 bytes for the initial matrices, 32 for dropout, then one
// shuffle per epoch. A step takes rows in that order while they fit the recipe's tokens_per_step.
// Progress counts rows. Throws Error{kBadInput} if there are no rows.
JointTraining train_joint(const lm::Engine& engine, const session::Recipe& recipe,
                          std::span<const lm::Example> rows, crypto::ChaChaRng rng,
                          const Progress& progress = {});

// Nats to micro-nats, rounded toward minus infinity.
int64_t to_micro_nats(double nats);

}  // namespace ffe::aggregator
