// The frozen weights of a model, laid out for one numeric path.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "lm/adapter_file.hpp"
#include "lm/arena.hpp"
#include "lm/attention.hpp"
#include "lm/model_config.hpp"
#include "lm/numeric.hpp"
#include "lm/numeric_matrix.hpp"
#include "lm/weights.hpp"

namespace ffe::lm {

struct BaseLayer {
  std::vector<float> input_norm, post_norm;
  std::vector<float> q_norm, k_norm;  // empty without qk_norm
  std::array<std::unique_ptr<FrozenMatrix>, kProjections> weight;
  std::array<std::vector<float>, kProjections> bias;  // empty where there is none

  const FrozenMatrix& w(Projection p) const { return *weight[static_cast<size_t>(p)]; }
  const float* b(Projection p) const {
    const auto& bias_of = bias[static_cast<size_t>(p)];
    return bias_of.empty() ? nullptr : bias_of.data();
  }
};

// Cosines and sines of the rotary angles, [positions, head_dim / 2].
struct RotaryTable {
  size_t positions = 0;
  std::vector<float> cosine, sine;
};

struct BaseModel {
  BaseModel(const ModelFile& file, NumericPath path, int thread_count);

  const FrozenMatrix& head() const { return output ? *output : *embedding; }
  AttentionShape attention_shape() const;
  // For at least this many positions.
  const RotaryTable& rotary(size_t positions) const;

  ModelConfig config;
  NumericPath numeric;
  int threads;
  std::unique_ptr<FrozenMatrix> embedding;
  std::unique_ptr<FrozenMatrix> output;  // null: tied
  std::vector<float> final_norm;
  std::vector<BaseLayer> layers;
  // Scratch of whoever computes; the engine's contract allows one at a time.
  mutable Arena arena;

 private:
  mutable RotaryTable rotary_;
};

}  // namespace ffe::lm
