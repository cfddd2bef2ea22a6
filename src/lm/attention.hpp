// Causal attention within trees of segments, in tiles of queries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lm/plan.hpp"

namespace ffe::lm {

struct AttentionShape {
  size_t heads, kv_heads, head_dim;
  size_t window;  // 0: unlimited

  size_t q_size() const { return heads * head_dim; }
  size_t kv_size() const { return kv_heads * head_dim; }
};

struct KeyRange {
  uint32_t begin, end;
};

// Queries [q_begin, q_end) attend to the keys of `ranges` (rows of K and V, in order of position);
// query i sees the first limits[i] of them. Limits ascend. The last keys, from `context` on, are
// the segment's own.
struct AttentionGroup {
  std::vector<KeyRange> ranges;
  uint32_t keys = 0;
  uint32_t context = 0;
  uint32_t q_begin = 0, q_end = 0;
  size_t context_offset = 0;  // sum of `context` over the groups before
};

struct AttentionPlan {
  std::vector<AttentionGroup> groups;
  std::vector<uint32_t> limits;  // by query
  size_t context_rows = 0;       // sum of `context`
};

// Queries are the rows listed in `query_rows` (ascending); a segment's own keys are all its rows.
AttentionPlan plan_attention(std::span<const Segment> segments,
                             std::span<const uint32_t> query_rows);

// q and out: [queries, heads * head_dim]; k and v: [rows, kv_heads * head_dim]. `stats`, if not
// null, keeps maximum and inverse sum of each query and head: [queries, heads, 2].
void attention_forward(const AttentionShape& shape, const AttentionPlan& plan, const float* q,
                       const float* k, const float* v, float* out, float* stats, int threads);

// Gradients; dk and dv of all rows that are keys are written. `context_scratch`:
// [context_rows, 2 * kv_size].
struct AttentionBackward {
  const float* q;
  const float* k;
  const float* v;
  const float* out;
  const float* stats;
  const float* dout;
  float* dq;
  float* dk;
  float* dv;
  float* context_scratch;
};
void attention_backward(const AttentionShape& shape, const AttentionPlan& plan,
                        const AttentionBackward& a, int threads);

}  // namespace ffe::lm
