// The kernels over a vector type V of sixteen floats. Included once by each kernels_<isa>.cpp,
// which is compiled for that instruction set: everything here has internal linkage, so that no
// function compiled for a newer processor is ever linked into code for an older one.
#pragma once

#include "lm/kernels.hpp"
#include "lm/kernels_packed.hpp"

namespace ffe::lm {
namespace {

// --- Products --------------------------------------------------------------------------------

template <int kRows, int kVectors, bool kTail>
inline void micro_product(const BlockProduct& p, const float* a, const float* b, const float* c0,
                          float* c, size_t tail) {
  V acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const bool last = kTail && j == kVectors - 1;
      if (c0 == nullptr) {
        acc[i][j] = V::zero();
      } else {
        const float* from = c0 + i * p.c0_row + j * kLanes;
        acc[i][j] = last ? V::load_n(from, tail) : V::load(from);
      }
    }
  }
  // Base pointers three rows apart keep the address registers few.
  const size_t row = p.a_row;
  const float* a0 = a;
  const float* a3 = a + (kRows > 3 ? 3 * row : 0);
  const float* a6 = a + (kRows > 6 ? 6 * row : 0);
  const float* a9 = a + (kRows > 9 ? 9 * row : 0);
  const size_t step = p.a_col;
  const float* const a_end = a + p.k * step;
  for (; a0 != a_end; a0 += step, a3 += step, a6 += step, a9 += step, b += p.b_row) {
    V bv[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const bool last = kTail && j == kVectors - 1;
      const float* from = b + j * p.b_panel;
      bv[j] = last ? V::load_n(from, tail) : V::load(from);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const float* base = i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : a9;
      const V av = V::set1(base[(i % 3) * row]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[i][j] = V::fma(av, bv[j], acc[i][j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const bool last = kTail && j == kVectors - 1;
      float* to = c + i * p.c_row + j * kLanes;
      if (last) {
        acc[i][j].store_n(to, tail);
      } else {
        acc[i][j].store(to);
      }
    }
  }
}

template <int kRows, int kVectors, bool kTail>
inline void rows_left(const BlockProduct& p, size_t rows, const float* a, const float* b,
                      const float* c0, float* c, size_t tail) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      micro_product<kRows, kVectors, kTail>(p, a, b, c0, c, tail);
    } else {
      rows_left<kRows - 1, kVectors, kTail>(p, rows, a, b, c0, c, tail);
    }
  }
}

// All rows against kVectors panels from column j.
template <int kVectors, bool kTail>
void column_strip(const BlockProduct& p, size_t j, size_t tail) {
  const float* b = p.b + j / kLanes * p.b_panel;
  size_t i = 0;
  for (; i + V::kTileRows <= p.m; i += V::kTileRows) {
    micro_product<V::kTileRows, kVectors, kTail>(p, p.a + i * p.a_row, b,
                                                 p.c0 ? p.c0 + i * p.c0_row + j : nullptr,
                                                 p.c + i * p.c_row + j, tail);
  }
  if (i < p.m) {
    rows_left<V::kTileRows - 1, kVectors, kTail>(p, p.m - i, p.a + i * p.a_row, b,
                                                 p.c0 ? p.c0 + i * p.c0_row + j : nullptr,
                                                 p.c + i * p.c_row + j, tail);
  }
}

void block_product(const BlockProduct& p) {
  constexpr size_t kWide = V::kTileVectors * kLanes;
  size_t j = 0;
  for (; j + kWide <= p.n; j += kWide) column_strip<V::kTileVectors, false>(p, j, kLanes);
  for (; j + kLanes <= p.n; j += kLanes) column_strip<1, false>(p, j, kLanes);
  if (j < p.n) column_strip<1, true>(p, j, p.n - j);
}

void transpose(const float* src, size_t src_row, size_t rows, size_t columns, float* dst,
               size_t dst_row, size_t dst_columns) {
  size_t i = 0;
  for (; i + kLanes <= rows; i += kLanes) {
    size_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      V::transpose16(src + i * src_row + j, src_row, dst + j * dst_row + i, dst_row);
    }
    for (; j < columns; ++j) {
      for (size_t l = 0; l < kLanes; ++l) dst[j * dst_row + i + l] = src[(i + l) * src_row + j];
    }
  }
  if (i == dst_columns) return;
  for (size_t j = 0; j < columns; ++j) {
    for (size_t l = i; l < rows; ++l) dst[j * dst_row + l] = src[l * src_row + j];
    for (size_t l = rows; l < dst_columns; ++l) dst[j * dst_row + l] = 0;
  }
}

// --- Elementwise -----------------------------------------------------------------------------

// Calls body(offset, count) for stretches of at most sixteen; `whole` tells full ones apart, so
// that only the last pays for a masked access.
template <class Body>
inline void stretches(size_t n, Body body) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, n - i);
}

inline V load(const float* p, size_t count) {
  return count == kLanes ? V::load(p) : V::load_n(p, count);
}
inline void store(V v, float* p, size_t count) {
  if (count == kLanes) {
    v.store(p);
  } else {
    v.store_n(p, count);
  }
}

// Relative error below 2e-7; zero below -87.3.
inline V exp(V x) {
  const V low = V::set1(-87.33654f);
  const V clamped = V::min(V::max(x, low), V::set1(88.0f));
  const V n = V::round(clamped * V::set1(1.44269504f));
  V r = V::fma(n, V::set1(-0.693359375f), clamped);
  r = V::fma(n, V::set1(2.12194440e-4f), r);
  V y = V::set1(1.9875691500e-4f);
  y = V::fma(y, r, V::set1(1.3981999507e-3f));
  y = V::fma(y, r, V::set1(8.3334519073e-3f));
  y = V::fma(y, r, V::set1(4.1665795894e-2f));
  y = V::fma(y, r, V::set1(1.6666665459e-1f));
  y = V::fma(y, r, V::set1(5.0000001201e-1f));
  y = V::fma(y * r, r, r) + V::set1(1.0f);
  return V::zero_where_below(V::times_power_of_two(y, n), x, low);
}

inline V sigmoid(V x) {
  const V one = V::set1(1.0f);
  return one / (one + exp(V::zero() - x));
}

float dot(const float* x, const float* y, size_t n) {
  V sum = V::zero();
  stretches(n, [&](size_t i, size_t c) { sum = V::fma(load(x + i, c), load(y + i, c), sum); });
  return sum.reduce_add();
}

void add(const float* x, size_t n, float* y) {
  stretches(n, [&](size_t i, size_t c) { store(load(y + i, c) + load(x + i, c), y + i, c); });
}

void rms_scale(const float* x, const float* weight, size_t n, float inverse_rms, float* y) {
  const V s = V::set1(inverse_rms);
  stretches(n,
            [&](size_t i, size_t c) { store(load(x + i, c) * s * load(weight + i, c), y + i, c); });
}

float rms_norm(const float* x, const float* weight, size_t n, float eps, float* y) {
  const float mean_square = dot(x, x, n) / static_cast<float>(n);
  const float inverse_rms = 1.0f / V::sqrt1(mean_square + eps);
  rms_scale(x, weight, n, inverse_rms, y);
  return inverse_rms;
}

void rms_norm_backward(const float* x, const float* weight, size_t n, float inverse_rms,
                       const float* dy, bool accumulate, float* dx) {
  V sum = V::zero();
  stretches(n, [&](size_t i, size_t c) {
    sum = V::fma(load(dy + i, c) * load(weight + i, c), load(x + i, c), sum);
  });
  const float mean = sum.reduce_add() / static_cast<float>(n);
  const V s = V::set1(inverse_rms);
  const V pull = V::set1(-(mean * inverse_rms * inverse_rms * inverse_rms));
  stretches(n, [&](size_t i, size_t c) {
    V g = load(dy + i, c) * load(weight + i, c) * s;
    g = V::fma(load(x + i, c), pull, g);
    if (accumulate) g = g + load(dx + i, c);
    store(g, dx + i, c);
  });
}

void rotate(float* x, size_t half, const float* cosine, const float* sine, float sign) {
  const V s = V::set1(sign);
  stretches(half, [&](size_t i, size_t c) {
    const V low = load(x + i, c);
    const V high = load(x + half + i, c);
    const V cv = load(cosine + i, c);
    const V sv = load(sine + i, c) * s;
    store(low * cv - high * sv, x + i, c);
    store(high * cv + low * sv, x + half + i, c);
  });
}

void swiglu(const float* gate, const float* up, size_t n, float* out) {
  stretches(n, [&](size_t i, size_t c) {
    const V g = load(gate + i, c);
    store(g * sigmoid(g) * load(up + i, c), out + i, c);
  });
}

void swiglu_backward(const float* gate, const float* up, const float* dout, size_t n, float* dgate,
                     float* dup) {
  stretches(n, [&](size_t i, size_t c) {
    const V g = load(gate + i, c);
    const V u = load(up + i, c);
    const V d = load(dout + i, c);
    const V s = sigmoid(g);
    const V silu = g * s;
    // silu' = s + silu (1 - s)
    const V slope = V::fma(silu, V::set1(1.0f) - s, s);
    store(d * u * slope, dgate + i, c);
    store(d * silu, dup + i, c);
  });
}

// --- Softmax ---------------------------------------------------------------------------------

float maximum(const float* x, size_t n) {
  V max = V::set1(-3.402823466e38f);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) max = V::max(max, V::load(x + i));
  float result = max.reduce_max();
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

// Sixteen lanes by absolute index: a masked lane adds zero.
inline void clear(float* x, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) x[i] = 0;
}

void softmax_again(float* x, size_t begin, size_t end, size_t n, float scale, float max,
                   float inverse_sum) {
  clear(x, 0, begin);
  clear(x, end, n);
  const V m = V::set1(max);
  const V s = V::set1(scale);
  const V f = V::set1(inverse_sum);
  const size_t first = begin / kLanes * kLanes;
  stretches(end - first, [&](size_t i, size_t c) {
    store(exp((load(x + first + i, c) - m) * s) * f, x + first + i, c);
  });
  clear(x, first, begin);
}

void softmax(float* x, size_t begin, size_t end, size_t n, float scale, float* max,
             float* inverse_sum) {
  const float top = maximum(x + begin, end - begin);
  softmax_again(x, begin, end, n, scale, top, 1.0f);
  V sum = V::zero();
  const size_t first = begin / kLanes * kLanes;
  stretches(end - first, [&](size_t i, size_t c) { sum = sum + load(x + first + i, c); });
  const float inverse = 1.0f / sum.reduce_add();
  const V f = V::set1(inverse);
  stretches(end - first,
            [&](size_t i, size_t c) { store(load(x + first + i, c) * f, x + first + i, c); });
  *max = top;
  *inverse_sum = inverse;
}

void softmax_backward(const float* p, float* dp, float dot_value, float scale, size_t n) {
  const V d = V::set1(dot_value);
  const V s = V::set1(scale);
  stretches(
      n, [&](size_t i, size_t c) { store(load(p + i, c) * (load(dp + i, c) - d) * s, dp + i, c); });
}

void log_sum_exp(const float* x, size_t n, float* max, float* sum) {
  const float top = maximum(x, n);
  const V m = V::set1(top);
  V total = V::zero();
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) total = total + exp(V::load(x + i) - m);
  if (i < n) {
    // Absent lanes must add nothing, not exp(0 - max).
    float rest[kLanes];
    for (size_t l = 0; l < kLanes; ++l) rest[l] = i + l < n ? x[i + l] - top : -1e30f;
    total = total + exp(V::load(rest));
  }
  *max = top;
  *sum = total.reduce_add();
}

void exp_scale(float* x, size_t n, float max, float factor) {
  const V m = V::set1(max);
  const V f = V::set1(factor);
  stretches(n, [&](size_t i, size_t c) { store(exp(load(x + i, c) - m) * f, x + i, c); });
}

void to_bf16(const float* x, size_t n, uint16_t* y) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) V::load(x + i).store_bf16(y + i);
  if (i == n) return;
  uint16_t rest[kLanes];
  V::load_n(x + i, n - i).store_bf16(rest);
  for (size_t l = 0; i < n; ++i, ++l) y[i] = rest[l];
}

// --- Fixed point -----------------------------------------------------------------------------

void fixed_point(const float* x, size_t blocks, int16_t* values, float* scales, float* sums) {
  constexpr float kLargest = 32767;
  for (size_t b = 0; b < blocks; ++b, x += kPackedBlock, values += kPackedBlock) {
    const V low = V::load(x);
    const V high = V::load(x + kLanes);
    const V zero = V::zero();
    const float top = V::max(V::max(low, zero - low), V::max(high, zero - high)).reduce_max();
    const bool some = top >= 1e-30f;
    const V factor = V::set1(some ? kLargest / top : 0.0f);
    (low * factor).store_int16(values);
    (high * factor).store_int16(values + kLanes);
    int32_t sum = 0;
    for (size_t k = 0; k < kPackedBlock; ++k) sum += values[k];
    scales[b] = some ? top / kLargest : 0.0f;
    sums[b] = scales[b] * static_cast<float>(sum);
  }
}

// --- Optimiser -------------------------------------------------------------------------------

// constants: gradient factor, beta1, 1-beta1, beta2, 1-beta2, 1-lr*decay, -lr/correction1,
// 1/sqrt(correction2), epsilon
void adamw(float* p, float* m, float* v, const float* g, size_t n, const float* constants) {
  V k[9];
  for (int i = 0; i < 9; ++i) k[i] = V::set1(constants[i]);
  stretches(n, [&](size_t i, size_t c) {
    const V grad = load(g + i, c) * k[0];
    const V first = V::fma(load(m + i, c), k[1], grad * k[2]);
    const V second = V::fma(load(v + i, c), k[3], grad * grad * k[4]);
    const V denominator = V::fma(V::sqrt(second), k[7], k[8]);
    const V kept = load(p + i, c) * k[5];
    store(first, m + i, c);
    store(second, v + i, c);
    store(V::fma(first / denominator, k[6], kept), p + i, c);
  });
}

constexpr Kernels make_kernels(const char* name) {
  return {name,        block_product, transpose,       rms_norm, rms_scale,     rms_norm_backward,
          rotate,      swiglu,        swiglu_backward, softmax,  softmax_again, softmax_backward,
          log_sum_exp, exp_scale,     maximum,         dot,      add,           to_bf16,
          adamw,       fixed_point,   packed_product};
}

}  // namespace
}  // namespace ffe::lm
