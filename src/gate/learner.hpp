// What the gate asks of a model: several small adapters trained side by side over one frozen base,
// and the losses of question-answer combinations under each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/progress.hpp"
#include "crypto/random.hpp"
#include "lm/chat_template.hpp"
#include "lm/rows.hpp"
#include "lm/tokenizer.hpp"

namespace ffe::gate {

inline constexpr int kBaseModel = -1;  // an "arm" without adapter

struct ScoreItem {
  int arm = kBaseModel;
  const lm::Row* question = nullptr;
  const lm::Row* answer = nullptr;
};

struct TrainItem {
  int arm = 0;
  const lm::Row* row = nullptr;
};

// The gate's own small recipe; statistic bundles fix it.
struct MiniRecipe {
  uint32_t rank = 8;
  double alpha = 16;
  double learning_rate = 1e-3;
  uint32_t warmup_steps = 3;
  double clip = 1.0;
  uint32_t steps = 0;  // T
};

class Learner {
 public:
  virtual ~Learner() = default;

  // Whether the answer has at least one token left within the sequence length.
  virtual bool fits(const lm::Row& question, const lm::Row& answer) = 0;
  // `arms` fresh adapters with equal initial matrices, drawn from `rng`; earlier ones are gone.
  virtual void begin(size_t arms, const MiniRecipe& recipe, crypto::ChaChaRng& rng) = 0;
  // One optimiser step of every arm named in `items`, on its own rows only.
  virtual void step(std::span<const TrainItem> items) = 0;
  // Mean negative log-likelihood of each item's answer, in nats, in the order of the items.
  virtual std::vector<double> losses(std::span<const ScoreItem> items,
                                     const Progress& progress = {}) = 0;
};

}  // namespace ffe::gate
