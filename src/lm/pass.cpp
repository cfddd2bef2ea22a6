#include "lm/pass.hpp"

#include <algorithm>
#include <cmath>

#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

std::vector<SlotSpan> spans_of_needed(std::span<const SlotSpan> spans,
                                      std::span<const uint32_t> needed) {
  std::vector<SlotSpan> result;
  for (const SlotSpan& span : spans) {
    const auto begin = std::lower_bound(needed.begin(), needed.end(), span.begin);
    const auto end = std::lower_bound(begin, needed.end(), span.end);
    if (begin == end) continue;
    SlotSpan piece = span;
    piece.begin = static_cast<uint32_t>(begin - needed.begin());
    piece.end = static_cast<uint32_t>(end - needed.begin());
    result.push_back(piece);
  }
  return result;
}

}  // namespace

Pass::Pass(const BaseModel& base, const Pack& pack, std::span<const PassSlot> slots, bool keep)
    : base_(base),
      config_(base.config),
      pack_(pack),
      slots_(slots),
      keep_(keep),
      arena_(base.arena),
      rows_(pack.tokens.size()) {
  for (const Target& target : pack.targets) {
    if (needed_.empty() || needed_.back() != target.row) needed_.push_back(target.row);
  }
  needed_spans_ = spans_of_needed(pack.spans, needed_);
  row_numbers_.resize(rows_);
  for (const SlotSpan& span : pack.spans) {
    for (size_t i = span.begin; i < span.end; ++i) {
      row_numbers_[i] = span.stream + i - span.begin;
    }
  }
  for (uint32_t row : needed_) needed_numbers_.push_back(row_numbers_[row]);
  std::vector<uint32_t> all(rows_);
  for (uint32_t i = 0; i < rows_; ++i) all[i] = i;
  all_queries_ = plan_attention(pack.segments, all);
  needed_queries_ = plan_attention(pack.segments, needed_);
  for (uint32_t position : pack.positions) positions_ = std::max<size_t>(positions_, position + 1);
  layers_.resize(base.layers.size());
  arena_.reset();
}

Linear Pass::linear(size_t layer, Projection p, bool queries) const {
  const bool few = queries && compact(layer);
  return {base_,
          layer,
          p,
          few ? std::span<const SlotSpan>(needed_spans_) : std::span<const SlotSpan>(pack_.spans),
          slots_,
          few ? needed_numbers_.data() : row_numbers_.data()};
}

void Pass::normalise(const float* x, size_t n, const std::vector<float>& weight, float* inverse_rms,
                     float* out) const {
  const size_t width = weight.size();
  const auto eps = static_cast<float>(config_.rms_eps);
  parallel_rows(base_.threads, n, [&](size_t i) {
    inverse_rms[i] = kernels().rms_norm(x + i * width, weight.data(), width, eps, out + i * width);
  });
}

void Pass::normalise_again(const float* x, size_t n, const std::vector<float>& weight,
                           const float* inverse_rms, float* out) const {
  const size_t width = weight.size();
  parallel_rows(base_.threads, n, [&](size_t i) {
    kernels().rms_scale(x + i * width, weight.data(), width, inverse_rms[i], out + i * width);
  });
}

void Pass::gather(const float* from, size_t width, float* to) const {
  for (size_t i = 0; i < needed_.size(); ++i) {
    std::copy_n(from + needed_[i] * width, width, to + i * width);
  }
}

// --- Forward ---------------------------------------------------------------------------------

void Pass::forward() {
  float* x = arena_.take(rows_ * config_.hidden);
  parallel_rows(base_.threads, rows_, [&](size_t i) {
    base_.embedding->copy_row(static_cast<size_t>(pack_.tokens[i]), x + i * config_.hidden);
  });
  if (keep_) {
    for (size_t l = 0; l < layers_.size(); ++l) x = forward_layer(l, x);
  } else {
    // Two buffers in turn carry the residual stream; the rest is taken back after every layer.
    float* other = arena_.take(rows_ * config_.hidden);
    for (size_t l = 0; l < layers_.size(); ++l) {
      const Arena::Mark mark = arena_.mark();
      const float* out = forward_layer(l, x);
      std::copy_n(out, queries(l) * config_.hidden, other);
      std::swap(x, other);
      arena_.release(mark);
    }
  }
  hidden_ = x;
}

float* Pass::forward_layer(size_t index, float* x) {
  Layer& layer = layers_[index];
  const BaseLayer& weights = base_.layers[index];
  const size_t n = rows_;
  const size_t m = queries(index);
  const size_t hidden = config_.hidden;
  layer.x = x;
  layer.norm1 = arena_.take(n);
  layer.q = arena_.take(m * config_.q_size());
  layer.k = arena_.take(n * config_.kv_size());
  layer.v = arena_.take(n * config_.kv_size());
  layer.mixed = arena_.take(m * config_.q_size());
  layer.middle = arena_.take(m * hidden);
  layer.stats = keep_ ? arena_.take(m * config_.heads * 2) : nullptr;
  for (size_t p = 0; p < kProjections; ++p) {
    const auto which = static_cast<Projection>(p);
    const bool all_rows = which == Projection::kK || which == Projection::kV;
    layer.h[p] = arena_.take((all_rows ? n : m) * linear(index, which, !all_rows).rank());
  }
  const Arena::Mark mark = arena_.mark();
  float* normed = arena_.take(n * hidden);
  normalise(x, n, weights.input_norm, layer.norm1, normed);
  project_qkv(index, layer, normed);
  arena_.release(mark);
  head_norm_rotate(index, layer);
  attention_forward(base_.attention_shape(), compact(index) ? needed_queries_ : all_queries_,
                    layer.q, layer.k, layer.v, layer.mixed, layer.stats, base_.threads);
  const float* residual = x;
  const Arena::Mark before = arena_.mark();
  if (compact(index)) {
    float* few = arena_.take(m * hidden);
    gather(x, hidden, few);
    residual = few;
  }
  linear(index, Projection::kO, true)
      .forward(layer.mixed, m, residual, layer.middle, layer.h[static_cast<size_t>(Projection::kO)],
               arena_);
  arena_.release(before);
  return forward_mlp(index, layer);
}

void Pass::project_qkv(size_t index, Layer& layer, const float* normed) {
  const size_t m = queries(index);
  const float* for_q = normed;
  if (compact(index)) {
    float* few = arena_.take(m * config_.hidden);
    gather(normed, config_.hidden, few);
    for_q = few;
  }
  linear(index, Projection::kQ, true).forward(for_q, m, nullptr, layer.q, layer.h[0], arena_);
  linear(index, Projection::kK, false).forward(normed, rows_, nullptr, layer.k, layer.h[1], arena_);
  linear(index, Projection::kV, false).forward(normed, rows_, nullptr, layer.v, layer.h[2], arena_);
}

// The norms over heads (Qwen3) and the rotation of q and k.
void Pass::head_norm_rotate(size_t index, Layer& layer) {
  const BaseLayer& weights = base_.layers[index];
  const size_t d = config_.head_dim;
  const size_t m = queries(index);
  layer.q_raw = layer.k_raw = nullptr;
  if (config_.qk_norm && keep_) {
    // The backward pass finds x / rms again from the values before the norm.
    layer.q_raw = arena_.take(m * config_.q_size());
    layer.k_raw = arena_.take(rows_ * config_.kv_size());
    std::copy_n(layer.q, m * config_.q_size(), layer.q_raw);
    std::copy_n(layer.k, rows_ * config_.kv_size(), layer.k_raw);
  }
  const RotaryTable& rotary = base_.rotary(positions_);
  const auto eps = static_cast<float>(config_.rms_eps);
  const auto turn = [&](float* heads, size_t count, const std::vector<float>& norm, size_t at) {
    for (size_t h = 0; h < count; ++h) {
      float* x = heads + h * d;
      if (!norm.empty()) kernels().rms_norm(x, norm.data(), d, eps, x);
      kernels().rotate(x, d / 2, rotary.cosine.data() + at * (d / 2),
                       rotary.sine.data() + at * (d / 2), 1.0f);
    }
  };
  parallel_rows(base_.threads, m, [&](size_t i) {
    const size_t row = compact(index) ? needed_[i] : i;
    turn(layer.q + i * config_.q_size(), config_.heads, weights.q_norm, pack_.positions[row]);
  });
  parallel_rows(base_.threads, rows_, [&](size_t i) {
    turn(layer.k + i * config_.kv_size(), config_.kv_heads, weights.k_norm, pack_.positions[i]);
  });
}

float* Pass::forward_mlp(size_t index, Layer& layer) {
  const size_t m = queries(index);
  const size_t wide = config_.intermediate;
  layer.norm2 = arena_.take(m);
  layer.gate = arena_.take(m * wide);
  layer.up = arena_.take(m * wide);
  float* out = arena_.take(m * config_.hidden);
  const Arena::Mark mark = arena_.mark();
  float* normed = arena_.take(m * config_.hidden);
  normalise(layer.middle, m, base_.layers[index].post_norm, layer.norm2, normed);
  linear(index, Projection::kGate, true)
      .forward(normed, m, nullptr, layer.gate, layer.h[4], arena_);
  linear(index, Projection::kUp, true).forward(normed, m, nullptr, layer.up, layer.h[5], arena_);
  float* act = keep_ ? arena_.take(m * wide) : layer.gate;
  parallel_rows(base_.threads, m, [&](size_t i) {
    kernels().swiglu(layer.gate + i * wide, layer.up + i * wide, wide, act + i * wide);
  });
  linear(index, Projection::kDown, true).forward(act, m, layer.middle, out, layer.h[6], arena_);
  arena_.release(mark);
  return out;
}

// --- Backward --------------------------------------------------------------------------------

void Pass::backward_mlp(size_t index, const Layer& layer, float* dx) {
  const size_t m = queries(index);
  const size_t wide = config_.intermediate;
  const Arena::Mark mark = arena_.mark();
  float* act = arena_.take(m * wide);
  float* dact = arena_.take(m * wide);
  parallel_rows(base_.threads, m, [&](size_t i) {
    kernels().swiglu(layer.gate + i * wide, layer.up + i * wide, wide, act + i * wide);
  });
  linear(index, Projection::kDown, true).backward(act, layer.h[6], dx, m, dact, false, arena_);
  // The gradients take the place of gate and up.
  parallel_rows(base_.threads, m, [&](size_t i) {
    float* gate = layer.gate + i * wide;
    float* up = layer.up + i * wide;
    kernels().swiglu_backward(gate, up, dact + i * wide, wide, gate, up);
  });
  arena_.release(mark);
  float* normed = arena_.take(m * config_.hidden);
  float* dnormed = arena_.take(m * config_.hidden);
  const std::vector<float>& norm = base_.layers[index].post_norm;
  normalise_again(layer.middle, m, norm, layer.norm2, normed);
  linear(index, Projection::kGate, true)
      .backward(normed, layer.h[4], layer.gate, m, dnormed, false, arena_);
  linear(index, Projection::kUp, true)
      .backward(normed, layer.h[5], layer.up, m, dnormed, true, arena_);
  const size_t width = config_.hidden;
  parallel_rows(base_.threads, m, [&](size_t i) {
    kernels().rms_norm_backward(layer.middle + i * width, norm.data(), width, layer.norm2[i],
                                dnormed + i * width, true, dx + i * width);
  });
  arena_.release(mark);
}

// Through the rotation and the norms over heads, in place.
void Pass::backward_heads(const Layer& layer, const BaseLayer& weights, float* dq, float* dk) {
  const size_t d = config_.head_dim;
  const RotaryTable& rotary = base_.rotary(positions_);
  const auto eps = static_cast<float>(config_.rms_eps);
  const auto turn = [&](float* heads, size_t count, const std::vector<float>& norm,
                        const float* raw, size_t at) {
    for (size_t h = 0; h < count; ++h) {
      float* x = heads + h * d;
      kernels().rotate(x, d / 2, rotary.cosine.data() + at * (d / 2),
                       rotary.sine.data() + at * (d / 2), -1.0f);
      if (norm.empty()) continue;
      const float* before = raw + h * d;
      const float mean_square = kernels().dot(before, before, d) / static_cast<float>(d);
      const float inverse_rms = 1.0f / std::sqrt(mean_square + eps);
      kernels().rms_norm_backward(before, norm.data(), d, inverse_rms, x, false, x);
    }
  };
  const bool few = &layer == &layers_.back();
  parallel_rows(base_.threads, few ? needed_.size() : rows_, [&](size_t i) {
    turn(dq + i * config_.q_size(), config_.heads, weights.q_norm,
         layer.q_raw ? layer.q_raw + i * config_.q_size() : nullptr,
         pack_.positions[few ? needed_[i] : i]);
  });
  parallel_rows(base_.threads, rows_, [&](size_t i) {
    turn(dk + i * config_.kv_size(), config_.kv_heads, weights.k_norm,
         layer.k_raw ? layer.k_raw + i * config_.kv_size() : nullptr, pack_.positions[i]);
  });
}

void Pass::backward_attention(size_t index, const Layer& layer, const float* dmiddle, float* dq,
                              float* dk, float* dv) {
  const size_t m = queries(index);
  const AttentionPlan& plan = compact(index) ? needed_queries_ : all_queries_;
  float* dmixed = arena_.take(m * config_.q_size());
  linear(index, Projection::kO, true)
      .backward(layer.mixed, layer.h[3], dmiddle, m, dmixed, false, arena_);
  float* scratch = arena_.take(plan.context_rows * 2 * config_.kv_size());
  attention_backward(
      base_.attention_shape(), plan,
      {layer.q, layer.k, layer.v, layer.mixed, layer.stats, dmixed, dq, dk, dv, scratch},
      base_.threads);
  backward_heads(layer, base_.layers[index], dq, dk);
}

// dx: the gradient of the layer's output on entry (needed rows for the last layer), of its input
// on return; null after the first layer, below which nothing is trained.
void Pass::backward_layer(size_t index, float*& dx) {
  const Layer& layer = layers_[index];
  const size_t n = rows_;
  const size_t m = queries(index);
  const size_t width = config_.hidden;
  const Arena::Mark mark = arena_.mark();
  backward_mlp(index, layer, dx);
  float* dq = arena_.take(m * config_.q_size());
  float* dk = arena_.take(n * config_.kv_size());
  float* dv = arena_.take(n * config_.kv_size());
  backward_attention(index, layer, dx, dq, dk, dv);
  float* normed = arena_.take(n * width);
  const std::vector<float>& norm = base_.layers[index].input_norm;
  normalise_again(layer.x, n, norm, layer.norm1, normed);
  const bool bottom = index == 0;
  float* dnormed = bottom ? nullptr : arena_.take(n * width);
  linear(index, Projection::kK, false).backward(normed, layer.h[1], dk, n, dnormed, false, arena_);
  linear(index, Projection::kV, false).backward(normed, layer.h[2], dv, n, dnormed, true, arena_);
  if (compact(index)) {
    float* few = arena_.take(m * width);
    float* dfew = bottom ? nullptr : arena_.take(m * width);
    gather(normed, width, few);
    linear(index, Projection::kQ, true).backward(few, layer.h[0], dq, m, dfew, false, arena_);
    if (!bottom) {
      float* wide = full_gradient_;
      std::fill_n(wide, n * width, 0.0f);
      for (size_t i = 0; i < m; ++i) {
        kernels().add(dfew + i * width, width, dnormed + needed_[i] * width);
        std::copy_n(dx + i * width, width, wide + needed_[i] * width);
      }
      dx = wide;
    }
  } else {
    linear(index, Projection::kQ, true).backward(normed, layer.h[0], dq, n, dnormed, true, arena_);
  }
  if (!bottom) {
    parallel_rows(base_.threads, n, [&](size_t i) {
      kernels().rms_norm_backward(layer.x + i * width, norm.data(), width, layer.norm1[i],
                                  dnormed + i * width, true, dx + i * width);
    });
  }
  arena_.release(mark);
}

std::vector<double> Pass::losses_and_gradients(std::span<const float> weights) {
  full_gradient_ = arena_.take(rows_ * config_.hidden);
  float* dx = arena_.take(needed_.size() * config_.hidden);
  const std::vector<double> losses = head(weights, dx);
  for (size_t l = layers_.size(); l-- > 0;) backward_layer(l, dx);
  return losses;
}

std::vector<double> Pass::losses() {
  return head({}, nullptr);
}

}  // namespace ffe::lm
