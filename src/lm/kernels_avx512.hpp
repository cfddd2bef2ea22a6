// Vectors of AVX-512 (F, BW, DQ, VL), for the files that are compiled for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <immintrin.h>

namespace ffe::lm {
namespace {

struct V {
  static constexpr int kTileRows = 12;
  static constexpr int kTileVectors = 2;
  static constexpr int kPackedRows = 8;

  __m512 v;

  static __mmask16 mask(size_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static V zero() { return {_mm512_setzero_ps()}; }
  static V set1(float x) { return {_mm512_set1_ps(x)}; }
  static V load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static V load_n(const float* p, size_t n) { return {_mm512_maskz_loadu_ps(mask(n), p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store_n(float* p, size_t n) const { _mm512_mask_storeu_ps(p, mask(n), v); }
  void store_bf16(uint16_t* p) const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded =
        _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i result = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(result, 16)));
  }
  // To nearest even, saturated.
  void store_int16(int16_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(v)));
  }
  static V load_half(const uint8_t* p) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  static V max(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
  static V min(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
  static V sqrt(V a) { return {_mm512_sqrt_ps(a.v)}; }
  static float sqrt1(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }
  static V round(V a) {
    return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  static V times_power_of_two(V a, V n) {
    const __m512i bits = _mm512_slli_epi32(_mm512_cvtps_epi32(n.v), 23);
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), bits))};
  }
  static V zero_where_below(V a, V x, V limit) {
    return {_mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x.v, limit.v, _CMP_GE_OQ), a.v)};
  }
  float reduce_add() const {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  float reduce_max() const { return _mm512_reduce_max_ps(v); }
  static inline void transpose16(const float* src, size_t src_row, float* dst, size_t dst_row);
};

inline V operator+(V a, V b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline V operator-(V a, V b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline V operator*(V a, V b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline V operator/(V a, V b) {
  return {_mm512_div_ps(a.v, b.v)};
}

// Sixteen lanes of two 16-bit words each, or of one 32-bit integer.
struct I {
  __m512i v;

  static I zero() { return {_mm512_setzero_si512()}; }
  static I load(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
  static I pair(const int16_t* p) {
    int32_t both;
    std::memcpy(&both, p, sizeof(both));
    return {_mm512_set1_epi32(both)};
  }
  template <int kBits>
  I nibbles() const {
    return {_mm512_and_si512(_mm512_srli_epi16(v, kBits), _mm512_set1_epi16(15))};
  }
  I low_bytes() const { return {_mm512_srai_epi16(_mm512_slli_epi16(v, 8), 8)}; }
  I high_bytes() const { return {_mm512_srai_epi16(v, 8)}; }
  static I dot(I sum, I a, I b) {
#ifdef __AVX512VNNI__
    return {_mm512_dpwssd_epi32(sum.v, a.v, b.v)};
#else
    return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(a.v, b.v))};
#endif
  }
  static I add(I a, I b) {
    return {_mm512_add_epi32(a.v, b.v)};
  }
  V to_float() const {
    return {_mm512_cvtepi32_ps(v)};
  }
};

}  // namespace
}  // namespace ffe::lm
