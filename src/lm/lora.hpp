// Fresh LoRA adapters.
#pragma once

#include <bitset>
#include <cstdint>

#include "base/bytes.hpp"
#include "lm/adapter_file.hpp"
#include "lm/model_config.hpp"

namespace ffe::lm {

// Indexed by Projection.
using ProjectionSet = std::bitset<kProjections>;
inline constexpr ProjectionSet kAllProjections{0x7f};

struct LoraConfig {
  uint32_t rank = 8;
  double alpha = 16;
  double dropout = 0;  // of the adapter's input, in training only
  ProjectionSet targets = kAllProjections;
};

// A: uniform in (-1/sqrt(columns), 1/sqrt(columns)), the distribution that PEFT initialises with
// (kaiming_uniform, a = sqrt 5); B: zero. The values come from ChaChaRng(seed), one draw each in
// order of layer, projection, row, column: equal seeds give equal bits on every machine. Throws
// Error{kUsage} for a rank outside [1, 256], no targets, or dropout outside [0, 1).
LoraAdapter make_adapter(const ModelConfig& model, const LoraConfig& config, const H256& seed);

}  // namespace ffe::lm
