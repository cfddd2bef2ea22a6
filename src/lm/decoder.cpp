#include "lm/decoder.hpp"

#include <algorithm>

#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kPromptTokens = 512;  // read at once

}  // namespace

Decoder::Decoder(const BaseModel& base, const LoraAdapter* adapter)
    : base_(base), cache_(base.layers.size()), logits_(base.config.vocab) {
  if (!adapter) return;
  const LoraLayout layout(base.config, *adapter);
  runtime_.emplace(layout, flatten(layout, *adapter), false, base.threads);
}

std::span<float> Decoder::next_logits(std::span<const int32_t> tokens) {
  slot_.runtime = runtime_ ? &*runtime_ : nullptr;
  const size_t limit = std::min(tokens_.size(), tokens.size() - 1);
  size_t known = 0;
  while (known < limit && tokens_[known] == tokens[known]) ++known;
  tokens_.resize(known);
  while (tokens_.size() < tokens.size()) {
    const size_t count = std::min(kPromptTokens, tokens.size() - tokens_.size());
    read(tokens.subspan(tokens_.size(), count));
  }
  return logits_;
}

// Appends to the cache and leaves the logits after the last token.
void Decoder::read(std::span<const int32_t> tokens) {
  const size_t hidden = base_.config.hidden;
  const size_t begin = tokens_.size();
  const size_t m = tokens.size();
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  base_.arena.reset();
  float* x = base_.arena.take(m * hidden);
  for (size_t i = 0; i < m; ++i) {
    base_.embedding->copy_row(static_cast<size_t>(tokens[i]), x + i * hidden);
  }
  for (size_t l = 0; l < cache_.size(); ++l) {
    cache_[l].k.resize((begin + m) * base_.config.kv_size());
    cache_[l].v.resize((begin + m) * base_.config.kv_size());
    run_layer(l, begin, x, m);
  }
  float* normed = base_.arena.take(hidden);
  kernels().rms_norm(x + (m - 1) * hidden, base_.final_norm.data(), hidden,
                     static_cast<float>(base_.config.rms_eps), normed);
  base_.head().forward({normed, hidden, 1, nullptr, 0, logits_.data(), base_.config.vocab, {}},
                       base_.threads);
}

// x [m, hidden] becomes the layer's output.
void Decoder::run_layer(size_t index, size_t begin, float* x, size_t m) {
  const ModelConfig& c = base_.config;
  const BaseLayer& weights = base_.layers[index];
  const size_t d = c.head_dim;
  Arena& arena = base_.arena;
  const Arena::Mark mark = arena.mark();
  const SlotSpan span{0, 0, static_cast<uint32_t>(m), 0};
  const auto linear = [&](Projection p, const float* in, const float* start, float* out) {
    const Linear l{base_, index, p, {&span, 1}, {&slot_, 1}, nullptr};
    l.forward(in, m, start, out, arena.take(m * l.rank()), arena);
  };
  const auto eps = static_cast<float>(c.rms_eps);
  float* normed = arena.take(m * c.hidden);
  for (size_t i = 0; i < m; ++i) {
    kernels().rms_norm(x + i * c.hidden, weights.input_norm.data(), c.hidden, eps,
                       normed + i * c.hidden);
  }
  float* q = arena.take(m * c.q_size());
  float* k = cache_[index].k.data() + begin * c.kv_size();
  linear(Projection::kQ, normed, nullptr, q);
  linear(Projection::kK, normed, nullptr, k);
  linear(Projection::kV, normed, nullptr, cache_[index].v.data() + begin * c.kv_size());
  const RotaryTable& rotary = base_.rotary(begin + m);
  const auto turn = [&](float* head, const std::vector<float>& norm, size_t at) {
    if (!norm.empty()) kernels().rms_norm(head, norm.data(), d, eps, head);
    kernels().rotate(head, d / 2, rotary.cosine.data() + at * (d / 2),
                     rotary.sine.data() + at * (d / 2), 1.0f);
  };
  AttentionPlan plan;
  AttentionGroup group;
  group.ranges = {{0, static_cast<uint32_t>(begin + m)}};
  group.keys = static_cast<uint32_t>(begin + m);
  group.q_end = static_cast<uint32_t>(m);
  plan.groups.push_back(group);
  for (size_t i = 0; i < m; ++i) {
    for (size_t h = 0; h < c.heads; ++h)
      turn(q + i * c.q_size() + h * d, weights.q_norm, begin + i);
    for (size_t h = 0; h < c.kv_heads; ++h) {
      turn(k + i * c.kv_size() + h * d, weights.k_norm, begin + i);
    }
    plan.limits.push_back(static_cast<uint32_t>(begin + i + 1));
  }
  float* mixed = arena.take(m * c.q_size());
  attention_forward(base_.attention_shape(), plan, q, cache_[index].k.data(),
                    cache_[index].v.data(), mixed, nullptr, base_.threads);
  linear(Projection::kO, mixed, x, x);
  for (size_t i = 0; i < m; ++i) {
    kernels().rms_norm(x + i * c.hidden, weights.post_norm.data(), c.hidden, eps,
                       normed + i * c.hidden);
  }
  float* gate = arena.take(m * c.intermediate);
  float* up = arena.take(m * c.intermediate);
  linear(Projection::kGate, normed, nullptr, gate);
  linear(Projection::kUp, normed, nullptr, up);
  kernels().swiglu(gate, up, m * c.intermediate, gate);
  linear(Projection::kDown, gate, x, x);
  arena.release(mark);
}

}  // namespace ffe::lm
