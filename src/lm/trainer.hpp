// LoRA training of one or several adapters in one pass over the shared base.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "lm/engine.hpp"
#include "lm/lora.hpp"
#include "lm/optimizer.hpp"

namespace ffe::lm {

struct TrainItem {
  uint32_t adapter = 0;  // index that add() gave
  const Example* example = nullptr;
};

struct StepResult {
  uint32_t adapter = 0;
  uint64_t step = 0;         // of this adapter, from 0
  double loss = 0;           // mean over all target tokens of this adapter's items
  double gradient_norm = 0;  // before clipping
  double learning_rate = 0;
  size_t tokens = 0;
  size_t targets = 0;
};

// Every adapter has its own optimiser, schedule and dropout stream: what it becomes is the same,
// bit for bit, whichever others are trained beside it and whatever the number of threads. Where a
// step is cut into passes (EngineOptions::train_tokens) matters: prefixes are shared within one.
class MultiTrainer {
 public:
  explicit MultiTrainer(const Engine& engine);  // which must outlive it
  MultiTrainer(MultiTrainer&&) noexcept;
  MultiTrainer& operator=(MultiTrainer&&) noexcept;
  ~MultiTrainer();

  // Throws Error{kBadInput} if the adapter does not fit the model. `dropout_seed` matters only with
  // dropout. Adapters of several ranks, scales and targets may be mixed.
  uint32_t add(LoraAdapter adapter, const OptimizerConfig& config, const H256& dropout_seed = {});
  size_t size() const;

  // One optimiser step for every adapter that has items; each adapter's loss is the mean over all
  // target tokens of its items. Results in order of adapter. Throws Error{kBadInput} as
  // Engine::row_losses does, and if an adapter's items have no target at all.
  std::vector<StepResult> step(std::span<const TrainItem> items);

  // The gradient that step() would clip and apply, as matrices named like the adapter's, with the
  // losses: for tests and for gradient checks. Changes nothing.
  struct Gradient {
    double loss = 0;
    LoraAdapter matrices;
  };
  Gradient gradient(uint32_t adapter, std::span<const Example* const> examples);

  LoraAdapter adapter(uint32_t index) const;
  uint64_t steps(uint32_t index) const;

  // Everything that later steps depend on: matrices, moments, step counts, dropout streams. A
  // trainer restored from it continues with the same bits. Format: docs/spec/checkpoint.md.
  Bytes checkpoint() const;
  // Throws Error{kBadInput} if the bytes are not a checkpoint, kCorrupt if altered, kUsage if of
  // another model shape.
  static MultiTrainer restore(const Engine& engine, ByteView checkpoint);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::lm
