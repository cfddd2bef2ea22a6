// One pack of rows through the model: forward, losses, and backward to the adapters' gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "lm/base_model.hpp"
#include "lm/lora_runtime.hpp"
#include "lm/plan.hpp"

namespace ffe::lm {

class Pass {
 public:
  // `keep` what the backward pass needs. Everything lives in base.arena until the next pass.
  Pass(const BaseModel& base, const Pack& pack, std::span<const PassSlot> slots, bool keep);

  // Up to the input of the final norm, for the rows that targets need.
  void forward();
  // Negative log-likelihood of each target of the pack, in order.
  std::vector<double> losses();
  // The same, and the gradient of the sum of weight[i] * loss[i] added to the slots' gradients.
  std::vector<double> losses_and_gradients(std::span<const float> weights);
  // All logits of the needed rows, a block at a time: rows from `first` on.
  void logits(const std::function<void(size_t first, size_t count, const float* logits)>& take);

 private:
  // Activations of one layer; rows are the pack's, or the needed ones where it says so.
  struct Layer {
    float* x;      // input
    float* norm1;  // inverse rms of x
    float* q;      // rotated; queries
    float* k;      // rotated
    float* v;
    float* q_raw;  // before q's own norm; null without it
    float* k_raw;
    float* stats;   // of the attention
    float* mixed;   // output of the attention; queries
    float* middle;  // after the attention's residual; queries
    float* norm2;
    float* gate;
    float* up;
    float* h[kProjections];
  };

  Linear linear(size_t layer, Projection p, bool queries) const;
  float* forward_layer(size_t index, float* x);
  void project_qkv(size_t index, Layer& layer, const float* normed);
  float* forward_mlp(size_t index, Layer& layer);
  void head_norm_rotate(size_t index, Layer& layer);
  void backward_layer(size_t index, float*& dx);
  void backward_mlp(size_t index, const Layer& layer, float* dx);
  void backward_attention(size_t index, const Layer& layer, const float* dmiddle, float* dq,
                          float* dk, float* dv);
  void backward_heads(const Layer& layer, const BaseLayer& weights, float* dq, float* dk);
  void for_head_blocks(const std::function<void(size_t first, size_t count, float* logits)>& take,
                       float* dhidden);
  std::vector<double> head(std::span<const float> weights, float* dx);

  bool compact(size_t layer) const { return layer + 1 == base_.layers.size(); }
  size_t queries(size_t layer) const { return compact(layer) ? needed_.size() : rows_; }
  void normalise(const float* x, size_t n, const std::vector<float>& weight, float* inverse_rms,
                 float* out) const;
  void normalise_again(const float* x, size_t n, const std::vector<float>& weight,
                       const float* inverse_rms, float* out) const;
  void gather(const float* from, size_t width, float* to) const;  // the needed rows

  const BaseModel& base_;
  const ModelConfig& config_;
  const Pack& pack_;
  std::span<const PassSlot> slots_;
  bool keep_;
  Arena& arena_;
  size_t rows_;
  size_t positions_ = 0;          // one above the highest
  std::vector<uint32_t> needed_;  // rows with targets, ascending
  std::vector<SlotSpan> needed_spans_;
  std::vector<uint64_t> row_numbers_, needed_numbers_;
  AttentionPlan all_queries_, needed_queries_;
  std::vector<Layer> layers_;
  float* full_gradient_ = nullptr;  // of the second-last layer's output, [rows, hidden]
  float* hidden_ = nullptr;         // input of the final norm, [needed, hidden]
};

}  // namespace ffe::lm
