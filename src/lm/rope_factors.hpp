// Rotary frequencies and Llama 3's scaling of them.
#pragma once

#include <vector>

#include "lm/model_config.hpp"

namespace ffe::lm {

// By what frequency i of head_dim / 2 is divided: 1 for short wavelengths, `factor` for long ones,
// and between the two a smooth blend (as transformers' "llama3" rope type). All 1 when not enabled.
std::vector<double> rope_divisors(const RopeScaling& scaling, double theta, uint32_t head_dim);

// The angle per position of pair i: theta^(-2i / head_dim) / divisor.
std::vector<double> rope_frequencies(const ModelConfig& config);

}  // namespace ffe::lm
