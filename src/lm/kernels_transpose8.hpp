// Sixteen by sixteen floats transposed as four blocks of eight by eight in AVX registers. Included
// by the kernel files whose processors have them.
#pragma once

#include <cstddef>
#include <immintrin.h>

namespace ffe::lm {
namespace {

inline void transpose8(const float* src, size_t src_row, float* dst, size_t dst_row) {
  __m256 r[8];
  __m256 t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(src + i * src_row);
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(dst + i * dst_row, _mm256_permute2f128_ps(r[i], r[4 + i], 0x20));
    _mm256_storeu_ps(dst + (4 + i) * dst_row, _mm256_permute2f128_ps(r[i], r[4 + i], 0x31));
  }
}

inline void V::transpose16(const float* src, size_t src_row, float* dst, size_t dst_row) {
  for (size_t i = 0; i < 16; i += 8) {
    for (size_t j = 0; j < 16; j += 8) {
      transpose8(src + i * src_row + j, src_row, dst + j * dst_row + i, dst_row);
    }
  }
}

}  // namespace
}  // namespace ffe::lm
