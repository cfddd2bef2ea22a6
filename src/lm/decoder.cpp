#include "lm/decoder.hpp"

#include <algorithm>
#include <vector>

#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

class DecodePass {
 public:
  DecodePass(const BaseModel& base, std::span<const DecodeItem> items)
      : base_(base), config_(base.config), arena_(base.arena), items_(items) {
    size_t longest = 0;
    for (const DecodeItem& item : items) {
      const size_t position = item.cache->tokens();
      const size_t end = rows_ + item.tokens.size();
      parts_.push_back({item.cache, rows_, end, position});
      add_to_span(item.runtime, end);
      rows_ = end;
      longest = std::max(longest, position + item.tokens.size());
    }
    rotary_ = &base.rotary(longest);
    arena_.reset();
  }

  void run() {
    float* x = arena_.take(rows_ * config_.hidden);
    for_rows([&](size_t part, size_t row, size_t) {
      const int32_t token = items_[part].tokens[row - parts_[part].begin];
      base_.embedding->copy_row(static_cast<size_t>(token), x + row * config_.hidden);
    });
    for (size_t l = 0; l < base_.layers.size(); ++l) run_layer(l, x);
    for (size_t i = 0; i < items_.size(); ++i) {
      items_[i].cache->set_tokens(parts_[i].position + items_[i].tokens.size());
    }
    head(x);
  }

 private:
  // Neighbours under one adapter share a span.
  void add_to_span(const LoraRuntime* runtime, size_t end) {
    if (slots_.empty() || slots_.back().runtime != runtime) {
      slots_.push_back({runtime, nullptr, {}});
      spans_.push_back(
          {static_cast<uint32_t>(slots_.size() - 1), static_cast<uint32_t>(rows_), 0, 0});
    }
    spans_.back().end = static_cast<uint32_t>(end);
  }

  // body(part, row, position)
  template <class Body>
  void for_rows(Body body) const {
    for (size_t p = 0; p < parts_.size(); ++p) {
      const CachedRows& part = parts_[p];
      parallel_rows(base_.threads, part.end - part.begin,
                    [&](size_t i) { body(p, part.begin + i, part.position + i); });
    }
  }

  struct Product {
    Projection projection;
    const float* start;
    float* out;
  };
  // Projections of one layer with the same input.
  void linear(size_t layer, const float* in, std::initializer_list<Product> products) {
    const Arena::Mark mark = arena_.mark();
    std::vector<Linear::Output> outputs;
    for (const Product& p : products) {
      const Linear l{base_, layer, p.projection, spans_, slots_, nullptr};
      outputs.push_back({l, p.start, p.out, arena_.take(rows_ * l.rank())});
    }
    Linear::forward(outputs, in, rows_, arena_);
    arena_.release(mark);
  }

  void normalise(const float* x, const std::vector<float>& weight, float* out) const {
    const auto eps = static_cast<float>(config_.rms_eps);
    const size_t width = config_.hidden;
    parallel_rows(base_.threads, rows_, [&](size_t i) {
      kernels().rms_norm(x + i * width, weight.data(), width, eps, out + i * width);
    });
  }

  void turn(float* heads, size_t count, const std::vector<float>& norm, size_t position) const {
    const size_t d = config_.head_dim;
    const float* cosine = rotary_->cosine.data() + position * (d / 2);
    const float* sine = rotary_->sine.data() + position * (d / 2);
    for (float* head = heads; head < heads + count * d; head += d) {
      if (!norm.empty()) {
        kernels().rms_norm(head, norm.data(), d, static_cast<float>(config_.rms_eps), head);
      }
      kernels().rotate(head, d / 2, cosine, sine, 1.0f);
    }
  }

  // x [rows, hidden] becomes the layer's output.
  void run_layer(size_t index, float* x) {
    const BaseLayer& weights = base_.layers[index];
    const Arena::Mark mark = arena_.mark();
    float* normed = arena_.take(rows_ * config_.hidden);
    normalise(x, weights.input_norm, normed);
    float* mixed = arena_.take(rows_ * config_.q_size());
    attention(index, normed, mixed);
    linear(index, mixed, {{Projection::kO, x, x}});
    normalise(x, weights.post_norm, normed);
    const size_t wide = config_.intermediate;
    float* gate = arena_.take(rows_ * wide);
    float* up = arena_.take(rows_ * wide);
    linear(index, normed, {{Projection::kGate, nullptr, gate}, {Projection::kUp, nullptr, up}});
    parallel_rows(base_.threads, rows_, [&](size_t i) {
      kernels().swiglu(gate + i * wide, up + i * wide, wide, gate + i * wide);
    });
    linear(index, gate, {{Projection::kDown, x, x}});
    arena_.release(mark);
  }

  void attention(size_t index, const float* normed, float* mixed) {
    const BaseLayer& weights = base_.layers[index];
    const size_t kv = config_.kv_size();
    float* q = arena_.take(rows_ * config_.q_size());
    float* k = arena_.take(rows_ * kv);
    float* v = arena_.take(rows_ * kv);
    linear(
        index, normed,
        {{Projection::kQ, nullptr, q}, {Projection::kK, nullptr, k}, {Projection::kV, nullptr, v}});
    for_rows([&](size_t part, size_t row, size_t position) {
      turn(q + row * config_.q_size(), config_.heads, weights.q_norm, position);
      turn(k + row * kv, config_.kv_heads, weights.k_norm, position);
      items_[part].cache->write(index, position, k + row * kv, v + row * kv);
    });
    cached_attention(base_.attention_shape(), index, parts_, q, mixed, base_.threads);
  }

  // The logits after the last token of every item that wants them.
  void head(const float* x) {
    const size_t width = config_.hidden;
    const size_t vocab = config_.vocab;
    float* normed = arena_.take(items_.size() * width);
    size_t wanted = 0;
    for (size_t i = 0; i < items_.size(); ++i) {
      if (!items_[i].logits) continue;
      kernels().rms_norm(x + (parts_[i].end - 1) * width, base_.final_norm.data(), width,
                         static_cast<float>(config_.rms_eps), normed + wanted++ * width);
    }
    if (wanted == 0) return;
    float* logits = arena_.take(wanted * vocab);
    base_.head().forward({normed, width, wanted, nullptr, 0, logits, vocab, {}}, base_.threads);
    for (const DecodeItem& item : items_) {
      if (!item.logits) continue;
      std::copy_n(logits, vocab, item.logits);
      logits += vocab;
    }
  }

  const BaseModel& base_;
  const ModelConfig& config_;
  Arena& arena_;
  std::span<const DecodeItem> items_;
  size_t rows_ = 0;
  std::vector<CachedRows> parts_;  // by item
  std::vector<PassSlot> slots_;
  std::vector<SlotSpan> spans_;
  const RotaryTable* rotary_ = nullptr;
};

}  // namespace

void decode(const BaseModel& base, std::span<const DecodeItem> items) {
  if (!items.empty()) DecodePass(base, items).run();
}

}  // namespace ffe::lm
