// Attention over trees of segments against plain loops in double.
#include "lm/attention.hpp"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace ffe::lm {
namespace {

struct Problem {
  AttentionShape shape;
  std::vector<Segment> segments;
  std::vector<uint32_t> queries;
  size_t rows;
  std::vector<float> q, k, v, dout;
};

std::vector<float> random_values(size_t n, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(engine()) / 2147483648.0f - 1.0f;
  return values;
}

// A root with two children, one of which has a child, and a row of its own.
Problem tree(AttentionShape shape, bool some_queries) {
  Problem p{shape, {{0, 5, -1, 0}, {5, 65, 0, 5}, {65, 68, 0, 5}, {68, 90, 2, 8}, {90, 107, -1, 0}},
            {},    107,
            {},    {},
            {},    {}};
  for (uint32_t i = 0; i < p.rows; ++i) {
    if (!some_queries || i % 3 == 1) p.queries.push_back(i);
  }
  p.q = random_values(p.queries.size() * shape.q_size(), 1);
  p.k = random_values(p.rows * shape.kv_size(), 2);
  p.v = random_values(p.rows * shape.kv_size(), 3);
  p.dout = random_values(p.queries.size() * shape.q_size(), 4);
  return p;
}

// The rows that row `row` sees, in order of position.
std::vector<uint32_t> visible(const Problem& p, uint32_t row) {
  int32_t segment = 0;
  while (row >= p.segments[static_cast<size_t>(segment)].end) ++segment;
  std::vector<uint32_t> rows;
  uint32_t end = row + 1;
  for (; segment >= 0; segment = p.segments[static_cast<size_t>(segment)].parent) {
    const Segment& s = p.segments[static_cast<size_t>(segment)];
    for (uint32_t i = std::min(end, s.end); i-- > s.begin;) rows.push_back(i);
    end = UINT32_MAX;
  }
  std::reverse(rows.begin(), rows.end());
  if (p.shape.window && rows.size() > p.shape.window) {
    rows.erase(rows.begin(), rows.end() - static_cast<ptrdiff_t>(p.shape.window));
  }
  return rows;
}

struct Reference {
  std::vector<double> out, dq, dk, dv;
};

Reference reference(const Problem& p) {
  const AttentionShape& s = p.shape;
  const size_t d = s.head_dim;
  Reference r{std::vector<double>(p.q.size()), std::vector<double>(p.q.size()),
              std::vector<double>(p.k.size()), std::vector<double>(p.k.size())};
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  for (size_t i = 0; i < p.queries.size(); ++i) {
    const std::vector<uint32_t> rows = visible(p, p.queries[i]);
    for (size_t h = 0; h < s.heads; ++h) {
      const size_t qa = i * s.q_size() + h * d;
      const size_t head = h / (s.heads / s.kv_heads) * d;
      std::vector<double> w(rows.size());
      std::vector<double> dw(rows.size());
      double sum = 0;
      for (size_t j = 0; j < rows.size(); ++j) {
        double dot = 0;
        for (size_t c = 0; c < d; ++c) {
          dot += double{p.q[qa + c]} * p.k[rows[j] * s.kv_size() + head + c];
        }
        sum += w[j] = std::exp(dot * scale);
      }
      double pull = 0;
      for (size_t j = 0; j < rows.size(); ++j) {
        w[j] /= sum;
        for (size_t c = 0; c < d; ++c) {
          const size_t at = rows[j] * s.kv_size() + head + c;
          r.out[qa + c] += w[j] * p.v[at];
          r.dv[at] += w[j] * p.dout[qa + c];
          dw[j] += double{p.dout[qa + c]} * p.v[at];
        }
        pull += w[j] * dw[j];
      }
      for (size_t j = 0; j < rows.size(); ++j) {
        const double ds = w[j] * (dw[j] - pull) * scale;
        for (size_t c = 0; c < d; ++c) {
          const size_t at = rows[j] * s.kv_size() + head + c;
          r.dq[qa + c] += ds * p.k[at];
          r.dk[at] += ds * p.q[qa + c];
        }
      }
    }
  }
  return r;
}

void expect_near(const std::vector<float>& got, const std::vector<double>& want) {
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 3e-5) << i;
}

void check(const Problem& p) {
  const Reference want = reference(p);
  const AttentionPlan plan = plan_attention(p.segments, p.queries);
  std::vector<float> out(p.q.size()), dq(p.q.size(), -7), dk(p.k.size(), -7), dv(p.k.size(), -7);
  std::vector<float> stats(p.queries.size() * p.shape.heads * 2);
  std::vector<float> scratch(plan.context_rows * 2 * p.shape.kv_size());
  attention_forward(p.shape, plan, p.q.data(), p.k.data(), p.v.data(), out.data(), stats.data(), 2);
  expect_near(out, want.out);
  attention_backward(p.shape, plan,
                     {p.q.data(), p.k.data(), p.v.data(), out.data(), stats.data(), p.dout.data(),
                      dq.data(), dk.data(), dv.data(), scratch.data()},
                     2);
  expect_near(dq, want.dq);
  expect_near(dk, want.dk);
  expect_near(dv, want.dv);
}

TEST(Attention, AgreesWithPlainLoops) {
  for (size_t head_dim : {8u, 16u, 20u, 64u}) {
    for (size_t window : {0u, 7u, 32u}) {
      for (bool some : {false, true}) {
        SCOPED_TRACE(std::to_string(head_dim) + " window " + std::to_string(window));
        check(tree({6, 2, head_dim, window}, some));
        check(tree({3, 3, head_dim, window}, some));
      }
    }
  }
}

}  // namespace
}  // namespace ffe::lm
