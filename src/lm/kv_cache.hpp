// The keys and values of what one stream has read, and attention to them.
#pragma once

#include <cstddef>
#include <span>

#include "lm/arena.hpp"
#include "lm/attention.hpp"
#include "lm/model_config.hpp"

namespace ffe::lm {

// fp32, for a fixed number of tokens. The system takes physical pages as tokens come. What was
// written is wiped when the cache goes.
class KvCache {
 public:
  // 2 · layers · kv_heads · head_dim · 4.
  static size_t bytes_per_token(const ModelConfig& config);

  // `capacity`: tokens; rounded up to a multiple of 16.
  KvCache(const ModelConfig& config, size_t capacity);
  KvCache(KvCache&& other) noexcept;
  KvCache& operator=(KvCache&& other) noexcept;
  ~KvCache();

  size_t tokens() const { return tokens_; }
  size_t capacity() const { return capacity_; }
  // Room for at least `capacity` tokens; what was read stays.
  void reserve(size_t capacity);
  // Forgets all tokens after the first `tokens`.
  void truncate(size_t tokens);

  // Writes one token's key and value, [kv_heads * head_dim] each, at `position` < capacity().
  void write(size_t layer, size_t position, const float* key, const float* value);
  // All layers have the keys and values of the first `tokens` tokens.
  void set_tokens(size_t tokens);

  // Keys in the form in which block_product() takes them: [capacity / 16][head_dim][16].
  const float* keys(size_t layer, size_t kv_head) const { return head(layer, kv_head, 0); }
  // [capacity][head_dim]
  const float* values(size_t layer, size_t kv_head) const { return head(layer, kv_head, 1); }

 private:
  float* head(size_t layer, size_t kv_head, size_t value) const;
  void wipe();

  size_t layers_, kv_heads_, head_dim_;
  size_t capacity_ = 0;
  size_t tokens_ = 0;
  size_t written_ = 0;  // the most tokens that it ever held
  mutable AlignedBuffer<float, false> storage_;
};

// Consecutive tokens of one stream in a pass: rows [begin, end) have the positions from `position`.
struct CachedRows {
  const KvCache* cache;
  size_t begin, end;
  size_t position;
};

// Every row attends to its stream's keys up to its own position (or the window's part of them).
// q and out: [rows, heads * head_dim]. The bits are those of attention_forward().
void cached_attention(const AttentionShape& shape, size_t layer, std::span<const CachedRows> rows,
                      const float* q, float* out, int threads);

}  // namespace ffe::lm
