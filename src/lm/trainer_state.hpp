// One adapter in training, and the checkpoint file that holds several.
#pragma once

#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "lm/dropout.hpp"
#include "lm/lora_runtime.hpp"
#include "lm/optimizer.hpp"

namespace ffe::lm {

struct TrainedAdapter {
  TrainedAdapter(const ModelConfig& model, LoraAdapter from, const OptimizerConfig& config,
                 const H256& seed, int threads);

  DropoutStream dropout_stream() const {
    const uint64_t words[4] = {get_le64(dropout_seed.data()), get_le64(dropout_seed.data() + 8),
                               get_le64(dropout_seed.data() + 16),
                               get_le64(dropout_seed.data() + 24)};
    return dropout_of_step(words, static_cast<float>(adapter.dropout), optimizer.steps());
  }

  LoraAdapter adapter;  // its matrices are those at the start; `values` is what is trained
  LoraLayout layout;
  std::vector<float> values;
  std::vector<float> gradient;
  LoraRuntime runtime;
  AdamW optimizer;
  H256 dropout_seed;
};

using TrainedAdapters = std::vector<std::unique_ptr<TrainedAdapter>>;

// Format and errors: docs/spec/checkpoint.md and MultiTrainer::restore.
Bytes write_checkpoint(const TrainedAdapters& adapters);
TrainedAdapters read_checkpoint(const ModelConfig& model, ByteView bytes, int threads);

}  // namespace ffe::lm
