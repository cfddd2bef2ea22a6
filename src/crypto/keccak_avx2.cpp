#include <immintrin.h>

#include "crypto/keccak_many.hpp"
#include "crypto/keccak_permutation.hpp"

#define K_XOR(a, b) _mm256_xor_si256((a), (b))
#define K_ROL(a, n) \
  _mm256_or_si256(_mm256_slli_epi64((a), (n)), _mm256_srli_epi64((a), (64 - (n)) & 63))
#define K_CHI(a, b, c) _mm256_xor_si256((a), _mm256_andnot_si256((b), (c)))
#define K_XOR5(a, b, c, d, e) K_XOR(K_XOR(K_XOR((a), (b)), K_XOR((c), (d))), (e))
#define K_CONST(v) _mm256_set1_epi64x(static_cast<long long>(v))
#define FFE_AVX2 __attribute__((target("avx2")))

namespace ffe::crypto::keccak {
namespace {

FFE_AVX2 void permute4(__m256i* state){FFE_KECCAK_PERMUTE(__m256i, state)}

FFE_AVX2 inline __m256i load(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// XORs lanes 4i … 4i+3 of four blocks into the state: a 4x4 transposition of 64-bit words.
FFE_AVX2 inline void absorb_quad(__m256i* state, const uint8_t* p, size_t stride) {
  __m256i r0 = load(p), r1 = load(p + stride), r2 = load(p + 2 * stride), r3 = load(p + 3 * stride);
  __m256i t0 = _mm256_unpacklo_epi64(r0, r1), t1 = _mm256_unpackhi_epi64(r0, r1);
  __m256i t2 = _mm256_unpacklo_epi64(r2, r3), t3 = _mm256_unpackhi_epi64(r2, r3);
  state[0] = K_XOR(state[0], _mm256_permute2x128_si256(t0, t2, 0x20));
  state[1] = K_XOR(state[1], _mm256_permute2x128_si256(t1, t3, 0x20));
  state[2] = K_XOR(state[2], _mm256_permute2x128_si256(t0, t2, 0x31));
  state[3] = K_XOR(state[3], _mm256_permute2x128_si256(t1, t3, 0x31));
}

FFE_AVX2 void absorb4(__m256i* state, const uint8_t* in, size_t stride) {
  for (size_t i = 0; i < 16; i += 4) absorb_quad(state + i, in + 8 * i, stride);
  auto word = [&](size_t k) { return static_cast<long long>(get_le64(in + k * stride + 128)); };
  state[16] = K_XOR(state[16], _mm256_set_epi64x(word(3), word(2), word(1), word(0)));
  permute4(state);
}

}  // namespace

FFE_AVX2 void many4_avx2(const uint8_t* in, size_t stride, size_t len, H256* out) {
  __m256i state[25];
  for (__m256i& lane : state) lane = _mm256_setzero_si256();
  for (; len >= kRate; len -= kRate, in += kRate) absorb4(state, in, stride);
  alignas(32) uint8_t last[4][kRate] = {};
  for (size_t k = 0; k < 4; ++k) {
    if (len != 0) std::memcpy(last[k], in + k * stride, len);
    last[k][len] = 0x01;
    last[k][kRate - 1] |= 0x80;
  }
  absorb4(state, last[0], kRate);
  alignas(32) uint64_t lanes[4][4];
  for (size_t i = 0; i < 4; ++i) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes[i]), state[i]);
  }
  for (size_t k = 0; k < 4; ++k) {
    for (size_t i = 0; i < 4; ++i) put_le64(out[k].data() + 8 * i, lanes[i][k]);
  }
}

}  // namespace ffe::crypto::keccak
