#include "lm/attention.hpp"

#include <algorithm>
#include <cmath>

#include "lm/arena.hpp"
#include "lm/kernels.hpp"
#include "lm/parallel.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kQueryTile = 48;

// What one thread needs for one group and one key-value head.
struct Workspace {
  AlignedBuffer<float> keys, keys_t, values, values_t, scores, dscores, dkeys, dvalues;
};

Workspace& workspace() {
  thread_local Workspace w;
  return w;
}

// The group's rows of one head of K or V, one below the other.
void gather(const AttentionGroup& group, const float* from, size_t row, size_t head_dim,
            AlignedBuffer<float>& to) {
  to.resize(group.keys * head_dim);
  float* out = to.data();
  for (const KeyRange& range : group.ranges) {
    for (size_t r = range.begin; r < range.end; ++r, out += head_dim) {
      std::copy_n(from + r * row, head_dim, out);
    }
  }
}

// [keys, head_dim] to panels [keys / 16][head_dim][16].
void make_panels(size_t keys, size_t head_dim, const AlignedBuffer<float>& from,
                 AlignedBuffer<float>& to) {
  to.resize(round_up_lanes(keys) * head_dim);
  for (size_t j = 0; j < keys; j += kLanes) {
    kernels().transpose(from.data() + j * head_dim, head_dim, std::min(kLanes, keys - j), head_dim,
                        to.data() + j * head_dim, kLanes, kLanes);
  }
}

size_t window_begin(const AttentionShape& shape, size_t limit) {
  return shape.window != 0 && limit > shape.window ? limit - shape.window : 0;
}

// scores[i][j] = x[i] · panel row j for `m` queries and the first `keys` keys.
void score_block(const float* x, size_t x_row, size_t m, const AlignedBuffer<float>& panels,
                 size_t head_dim, size_t keys, float* scores, size_t scores_row) {
  BlockProduct b;
  b.a = x;
  b.a_row = x_row;
  b.a_col = 1;
  b.b = panels.data();
  b.b_row = kLanes;
  b.b_panel = head_dim * kLanes;
  b.c0 = nullptr;
  b.c0_row = 0;
  b.c = scores;
  b.c_row = scores_row;
  b.m = m;
  b.n = round_up_lanes(keys);
  b.k = head_dim;
  kernels().block_product(b);
}

// out[m, n] = w[m, k] · rows[k, n], or w transposed when `w_row` is 1.
void mix(const float* w, size_t w_row, size_t w_col, size_t m, size_t k, const float* rows,
         size_t rows_row, size_t n, bool accumulate, float* out, size_t out_row) {
  BlockProduct b;
  b.a = w;
  b.a_row = w_row;
  b.a_col = w_col;
  b.b = rows;
  b.b_row = rows_row;
  b.b_panel = kLanes;
  b.c0 = accumulate ? out : nullptr;
  b.c0_row = out_row;
  b.c = out;
  b.c_row = out_row;
  b.m = m;
  b.n = n;
  b.k = k;
  kernels().block_product(b);
}

void forward_group(const AttentionShape& s, const AttentionPlan& plan, const AttentionGroup& group,
                   size_t kv_head, const float* q, const float* k, const float* v, float* out,
                   float* stats) {
  Workspace& w = workspace();
  const size_t d = s.head_dim;
  gather(group, k + kv_head * d, s.kv_size(), d, w.keys);
  gather(group, v + kv_head * d, s.kv_size(), d, w.values);
  make_panels(group.keys, d, w.keys, w.keys_t);
  const size_t row = round_up_lanes(group.keys);
  w.scores.resize(kQueryTile * row);
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  const size_t shared = s.heads / s.kv_heads;
  for (size_t head = kv_head * shared; head < (kv_head + 1) * shared; ++head) {
    for (size_t i = group.q_begin; i < group.q_end; i += kQueryTile) {
      const size_t m = std::min<size_t>(kQueryTile, group.q_end - i);
      const size_t keys = plan.limits[i + m - 1];
      score_block(q + i * s.q_size() + head * d, s.q_size(), m, w.keys_t, d, keys, w.scores.data(),
                  row);
      for (size_t r = 0; r < m; ++r) {
        const size_t limit = plan.limits[i + r];
        float max;
        float inverse;
        kernels().softmax(w.scores.data() + r * row, window_begin(s, limit), limit, keys, scale,
                          &max, &inverse);
        if (stats) {
          float* stat = stats + ((i + r) * s.heads + head) * 2;
          stat[0] = max;
          stat[1] = inverse;
        }
      }
      mix(w.scores.data(), row, 1, m, keys, w.values.data(), d, d, false,
          out + i * s.q_size() + head * d, s.q_size());
    }
  }
}

// One tile of queries of one head: adds to dkeys and dvalues, writes dq.
void backward_tile(const AttentionShape& s, const AttentionPlan& plan, const AttentionBackward& a,
                   Workspace& w, size_t row, size_t head, size_t i, size_t m) {
  const size_t d = s.head_dim;
  const size_t keys = plan.limits[i + m - 1];
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  const size_t at = i * s.q_size() + head * d;
  score_block(a.q + at, s.q_size(), m, w.keys_t, d, keys, w.scores.data(), row);
  score_block(a.dout + at, s.q_size(), m, w.values_t, d, keys, w.dscores.data(), row);
  for (size_t r = 0; r < m; ++r) {
    const size_t limit = plan.limits[i + r];
    const float* stat = a.stats + ((i + r) * s.heads + head) * 2;
    float* p = w.scores.data() + r * row;
    kernels().softmax_again(p, window_begin(s, limit), limit, keys, scale, stat[0], stat[1]);
    const float pull = kernels().dot(a.dout + at + r * s.q_size(), a.out + at + r * s.q_size(), d);
    kernels().softmax_backward(p, w.dscores.data() + r * row, pull, scale, keys);
  }
  mix(w.scores.data(), 1, row, keys, m, a.dout + at, s.q_size(), d, true, w.dvalues.data(), d);
  mix(w.dscores.data(), 1, row, keys, m, a.q + at, s.q_size(), d, true, w.dkeys.data(), d);
  mix(w.dscores.data(), row, 1, m, keys, w.keys.data(), d, d, false, a.dq + at, s.q_size());
}

void backward_group(const AttentionShape& s, const AttentionPlan& plan, const AttentionGroup& group,
                    size_t kv_head, const AttentionBackward& a) {
  Workspace& w = workspace();
  const size_t d = s.head_dim;
  gather(group, a.k + kv_head * d, s.kv_size(), d, w.keys);
  gather(group, a.v + kv_head * d, s.kv_size(), d, w.values);
  make_panels(group.keys, d, w.keys, w.keys_t);
  make_panels(group.keys, d, w.values, w.values_t);
  const size_t row = round_up_lanes(group.keys);
  w.scores.resize(kQueryTile * row);
  w.dscores.resize(kQueryTile * row);
  w.dkeys.resize(group.keys * d);
  w.dvalues.resize(group.keys * d);
  std::fill_n(w.dkeys.data(), group.keys * d, 0.0f);
  std::fill_n(w.dvalues.data(), group.keys * d, 0.0f);
  const size_t shared = s.heads / s.kv_heads;
  for (size_t head = kv_head * shared; head < (kv_head + 1) * shared; ++head) {
    for (size_t i = group.q_begin; i < group.q_end; i += kQueryTile) {
      backward_tile(s, plan, a, w, row, head, i, std::min<size_t>(kQueryTile, group.q_end - i));
    }
  }
  // A segment's own keys belong to this task alone; its ancestors' get their sum afterwards.
  const size_t kv = s.kv_size();
  for (size_t j = 0; j < group.context; ++j) {
    float* to = a.context_scratch + (group.context_offset + j) * 2 * kv + kv_head * d;
    std::copy_n(w.dkeys.data() + j * d, d, to);
    std::copy_n(w.dvalues.data() + j * d, d, to + kv);
  }
  const size_t first = group.ranges.back().end - (group.keys - group.context);
  for (size_t j = group.context; j < group.keys; ++j) {
    const size_t to = (first + j - group.context) * kv + kv_head * d;
    std::copy_n(w.dkeys.data() + j * d, d, a.dk + to);
    std::copy_n(w.dvalues.data() + j * d, d, a.dv + to);
  }
}

}  // namespace

AttentionPlan plan_attention(std::span<const Segment> segments,
                             std::span<const uint32_t> query_rows) {
  AttentionPlan plan;
  plan.limits.reserve(query_rows.size());
  size_t q = 0;
  for (const Segment& segment : segments) {
    AttentionGroup group;
    group.context = segment.context;
    group.keys = segment.context + segment.end - segment.begin;
    group.q_begin = static_cast<uint32_t>(q);
    for (; q < query_rows.size() && query_rows[q] < segment.end; ++q) {
      plan.limits.push_back(segment.context + query_rows[q] - segment.begin + 1);
    }
    group.q_end = static_cast<uint32_t>(q);
    group.ranges.push_back({segment.begin, segment.end});
    for (int32_t p = segment.parent; p >= 0; p = segments[p].parent) {
      group.ranges.push_back({segments[p].begin, segments[p].end});
    }
    std::reverse(group.ranges.begin(), group.ranges.end());
    group.context_offset = plan.context_rows;
    plan.context_rows += group.context;
    plan.groups.push_back(std::move(group));
  }
  return plan;
}

void attention_forward(const AttentionShape& shape, const AttentionPlan& plan, const float* q,
                       const float* k, const float* v, float* out, float* stats, int threads) {
  parallel_for(threads, plan.groups.size() * shape.kv_heads, [&](size_t task) {
    const AttentionGroup& group = plan.groups[task / shape.kv_heads];
    if (group.q_begin == group.q_end) return;
    forward_group(shape, plan, group, task % shape.kv_heads, q, k, v, out, stats);
  });
}

void attention_backward(const AttentionShape& shape, const AttentionPlan& plan,
                        const AttentionBackward& a, int threads) {
  parallel_for(threads, plan.groups.size() * shape.kv_heads, [&](size_t task) {
    backward_group(shape, plan, plan.groups[task / shape.kv_heads], task % shape.kv_heads, a);
  });
  const size_t d = shape.head_dim;
  const size_t kv = shape.kv_size();
  parallel_for(threads, shape.kv_heads, [&](size_t head) {
    for (const AttentionGroup& group : plan.groups) {
      const float* from = a.context_scratch + group.context_offset * 2 * kv + head * d;
      size_t j = 0;
      for (const KeyRange& range : group.ranges) {
        for (size_t r = range.begin; r < range.end && j < group.context; ++r, ++j) {
          kernels().add(from + j * 2 * kv, d, a.dk + r * kv + head * d);
          kernels().add(from + j * 2 * kv + kv, d, a.dv + r * kv + head * d);
        }
      }
    }
  });
}

}  // namespace ffe::lm
