#include "lm/kv_cache.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/secret.hpp"
#include "lm/kernels.hpp"
#include "lm/parallel.hpp"

namespace ffe::lm {

size_t KvCache::bytes_per_token(const ModelConfig& config) {
  return 2 * size_t{config.layers} * config.kv_size() * sizeof(float);
}

KvCache::KvCache(const ModelConfig& config, size_t capacity)
    : layers_(config.layers), kv_heads_(config.kv_heads), head_dim_(config.head_dim) {
  reserve(capacity);
}

KvCache::KvCache(KvCache&& other) noexcept
    : layers_(other.layers_),
      kv_heads_(other.kv_heads_),
      head_dim_(other.head_dim_),
      capacity_(std::exchange(other.capacity_, 0)),
      tokens_(std::exchange(other.tokens_, 0)),
      written_(std::exchange(other.written_, 0)),
      storage_(std::move(other.storage_)) {}

KvCache& KvCache::operator=(KvCache&& other) noexcept {
  std::swap(layers_, other.layers_);
  std::swap(kv_heads_, other.kv_heads_);
  std::swap(head_dim_, other.head_dim_);
  std::swap(capacity_, other.capacity_);
  std::swap(tokens_, other.tokens_);
  std::swap(written_, other.written_);
  std::swap(storage_, other.storage_);
  return *this;
}

KvCache::~KvCache() {
  wipe();
}

float* KvCache::head(size_t layer, size_t kv_head, size_t value) const {
  return storage_.data() + ((layer * kv_heads_ + kv_head) * 2 + value) * capacity_ * head_dim_;
}

void KvCache::wipe() {
  const size_t used = round_up_lanes(written_) * head_dim_ * sizeof(float);
  for (size_t l = 0; used > 0 && l < layers_; ++l) {
    for (size_t h = 0; h < kv_heads_; ++h) {
      ffe::wipe(head(l, h, 0), used);
      ffe::wipe(head(l, h, 1), used);
    }
  }
  written_ = 0;
}

void KvCache::reserve(size_t capacity) {
  if (capacity <= capacity_) return;
  const size_t old_capacity = capacity_;
  const AlignedBuffer<float, false> old = std::move(storage_);
  capacity_ = round_up_lanes(capacity);
  storage_ = AlignedBuffer<float, false>(layers_ * kv_heads_ * 2 * capacity_ * head_dim_);
  const size_t used = round_up_lanes(written_) * head_dim_;
  for (size_t i = 0; used > 0 && i < layers_ * kv_heads_ * 2; ++i) {
    auto* from = const_cast<float*>(old.data()) + i * old_capacity * head_dim_;
    std::copy_n(from, used, storage_.data() + i * capacity_ * head_dim_);
    ffe::wipe(from, used * sizeof(float));
  }
}

void KvCache::truncate(size_t tokens) {
  tokens_ = std::min(tokens_, tokens);
}

void KvCache::set_tokens(size_t tokens) {
  tokens_ = tokens;
  written_ = std::max(written_, tokens);
}

void KvCache::write(size_t layer, size_t position, const float* key, const float* value) {
  for (size_t h = 0; h < kv_heads_; ++h) {
    float* panel = head(layer, h, 0) + position / kLanes * kLanes * head_dim_ + position % kLanes;
    for (size_t c = 0; c < head_dim_; ++c) panel[c * kLanes] = key[h * head_dim_ + c];
    std::copy_n(value + h * head_dim_, head_dim_, head(layer, h, 1) + position * head_dim_);
  }
}

// --- Attention -------------------------------------------------------------------------------

namespace {

constexpr size_t kQueryTile = 48;

// Queries that share their keys: row r at q + r * row sees the first limit + r * limit_step keys.
struct QueryTile {
  const float* q;
  float* out;
  size_t row;
  size_t rows;
  size_t limit, limit_step;
};

void attend(const QueryTile& t, const float* keys, const float* values, size_t head_dim,
            size_t window) {
  thread_local AlignedBuffer<float> buffer;
  const size_t count = t.limit + (t.rows - 1) * t.limit_step;
  const size_t width = round_up_lanes(count);
  buffer.resize(t.rows * width);
  float* scores = buffer.data();
  kernels().block_product({t.q, t.row, 1, keys, kLanes, head_dim * kLanes, nullptr, 0, scores,
                           width, t.rows, width, head_dim});
  const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
  for (size_t r = 0; r < t.rows; ++r) {
    const size_t limit = t.limit + r * t.limit_step;
    const size_t begin = window != 0 && limit > window ? limit - window : 0;
    float max;
    float inverse;
    kernels().softmax(scores + r * width, begin, limit, count, scale, &max, &inverse);
  }
  kernels().block_product({scores, width, 1, values, head_dim, kLanes, nullptr, 0, t.out, t.row,
                           t.rows, head_dim, count});
}

}  // namespace

void cached_attention(const AttentionShape& shape, size_t layer, std::span<const CachedRows> rows,
                      const float* q, float* out, int threads) {
  const size_t d = shape.head_dim;
  const size_t shared = shape.heads / shape.kv_heads;
  parallel_for(threads, rows.size() * shape.kv_heads, [&](size_t task) {
    const CachedRows& r = rows[task / shape.kv_heads];
    const size_t kv_head = task % shape.kv_heads;
    const float* keys = r.cache->keys(layer, kv_head);
    const float* values = r.cache->values(layer, kv_head);
    const size_t at = r.begin * shape.q_size() + kv_head * shared * d;
    if (r.end - r.begin == 1) {  // the heads that share the keys are the tile's rows
      attend({q + at, out + at, d, shared, r.position + 1, 0}, keys, values, d, shape.window);
      return;
    }
    for (size_t h = 0; h < shared; ++h) {
      for (size_t i = r.begin; i < r.end; i += kQueryTile) {
        const size_t from = at + h * d + (i - r.begin) * shape.q_size();
        attend({q + from, out + from, shape.q_size(), std::min(kQueryTile, r.end - i),
                r.position + (i - r.begin) + 1, 1},
               keys, values, d, shape.window);
      }
    }
  });
}

}  // namespace ffe::lm
