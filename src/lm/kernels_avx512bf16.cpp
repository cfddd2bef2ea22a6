// Products of bf16 pairs with AVX512_BF16. A value's chain takes two terms at a time, in index
// order: VDPBF16PS adds the product of the odd ones, then that of the even ones, each rounded.
#include <cstddef>
#include <cstring>
#include <immintrin.h>

#include "lm/kernels.hpp"

namespace ffe::lm {
namespace {

constexpr int kTileRows = 12;

template <int kRows, int kVectors>
inline void micro_product(const Bf16Product& p, const uint16_t* a, const uint16_t* b,
                          const float* c0, float* c, __mmask16 last) {
  __m512 acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const __mmask16 mask = j == kVectors - 1 ? last : 0xffff;
      acc[i][j] =
          c0 ? _mm512_maskz_loadu_ps(mask, c0 + i * p.c0_row + j * kLanes) : _mm512_setzero_ps();
    }
  }
  const size_t row = p.a_row;
  const uint16_t* a0 = a;
  const uint16_t* a3 = a + (kRows > 3 ? 3 * row : 0);
  const uint16_t* a6 = a + (kRows > 6 ? 6 * row : 0);
  const uint16_t* a9 = a + (kRows > 9 ? 9 * row : 0);
  const uint16_t* const a_end = a + p.k;
  for (; a0 != a_end; a0 += 2, a3 += 2, a6 += 2, a9 += 2, b += 2 * kLanes) {
    __m512bh bv[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      bv[j] = (__m512bh)_mm512_loadu_si512(b + j * p.b_panel);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const uint16_t* base = i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : a9;
      int pair;
      std::memcpy(&pair, base + (i % 3) * row, sizeof(pair));
      const auto av = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], av, bv[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const __mmask16 mask = j == kVectors - 1 ? last : 0xffff;
      _mm512_mask_storeu_ps(c + i * p.c_row + j * kLanes, mask, acc[i][j]);
    }
  }
}

template <int kRows, int kVectors>
inline void rows_left(const Bf16Product& p, size_t rows, const uint16_t* a, const uint16_t* b,
                      const float* c0, float* c, __mmask16 last) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      micro_product<kRows, kVectors>(p, a, b, c0, c, last);
    } else {
      rows_left<kRows - 1, kVectors>(p, rows, a, b, c0, c, last);
    }
  }
}

template <int kVectors>
void column_strip(const Bf16Product& p, size_t j, __mmask16 last) {
  const uint16_t* b = p.b + j / kLanes * p.b_panel;
  for (size_t i = 0; i < p.m; i += kTileRows) {
    rows_left<kTileRows, kVectors>(p, p.m - i < kTileRows ? p.m - i : kTileRows, p.a + i * p.a_row,
                                   b, p.c0 ? p.c0 + i * p.c0_row + j : nullptr,
                                   p.c + i * p.c_row + j, last);
  }
}

void bf16_product(const Bf16Product& p) {
  size_t j = 0;
  for (; j + 2 * kLanes <= p.n; j += 2 * kLanes) column_strip<2>(p, j, 0xffff);
  for (; j + kLanes <= p.n; j += kLanes) column_strip<1>(p, j, 0xffff);
  if (j < p.n) column_strip<1>(p, j, static_cast<__mmask16>((1u << (p.n - j)) - 1));
}

}  // namespace

void (*avx512_bf16_product_unchecked())(const Bf16Product&) {
  return bf16_product;
}

}  // namespace ffe::lm
