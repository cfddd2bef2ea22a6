#include <immintrin.h>

#include "crypto/keccak_many.hpp"
#include "crypto/keccak_permutation.hpp"

// Full masks cost nothing; GCC 12 warns about the undefined source of the unmasked forms.
// vpternlogq does three-input logic: 0x96 is a^b^c, 0xd2 is a ^ (~b & c).
#define K_XOR(a, b) _mm512_xor_si512((a), (b))
#define K_ROL(a, n) _mm512_mask_rol_epi64((a), 0xff, (a), (n))
#define K_CHI(a, b, c) _mm512_ternarylogic_epi64((a), (b), (c), 0xd2)
#define K_XOR5(a, b, c, d, e) \
  _mm512_ternarylogic_epi64(_mm512_ternarylogic_epi64((a), (b), (c), 0x96), (d), (e), 0x96)
#define K_CONST(v) _mm512_set1_epi64(static_cast<long long>(v))
#define FFE_AVX512 __attribute__((target("avx512f")))

namespace ffe::crypto::keccak {
namespace {

FFE_AVX512 void permute8(__m512i* state){FFE_KECCAK_PERMUTE(__m512i, state)}

// XORs lanes i … i+7 of eight blocks into the state: an 8x8 transposition of 64-bit words.
FFE_AVX512 inline void absorb_octet(__m512i* state, const uint8_t* p, size_t stride) {
  __m512i r[8], t[8];
  for (size_t k = 0; k < 8; ++k) r[k] = _mm512_loadu_si512(p + k * stride);
  for (size_t k = 0; k < 8; k += 2) {
    t[k] = _mm512_mask_unpacklo_epi64(r[k], 0xff, r[k], r[k + 1]);
    t[k + 1] = _mm512_mask_unpackhi_epi64(r[k], 0xff, r[k], r[k + 1]);
  }
  // Word j of rows 2k and 2k+1 is now 128-bit group j / 2 of t[2k + j % 2].
  for (size_t odd = 0; odd < 2; ++odd) {
    __m512i a = _mm512_mask_shuffle_i64x2(t[odd], 0xff, t[odd], t[2 + odd], 0x88);
    __m512i b = _mm512_mask_shuffle_i64x2(t[odd], 0xff, t[odd], t[2 + odd], 0xdd);
    __m512i c = _mm512_mask_shuffle_i64x2(t[odd], 0xff, t[4 + odd], t[6 + odd], 0x88);
    __m512i d = _mm512_mask_shuffle_i64x2(t[odd], 0xff, t[4 + odd], t[6 + odd], 0xdd);
    state[odd] = K_XOR(state[odd], _mm512_mask_shuffle_i64x2(a, 0xff, a, c, 0x88));
    state[odd + 4] = K_XOR(state[odd + 4], _mm512_mask_shuffle_i64x2(a, 0xff, a, c, 0xdd));
    state[odd + 2] = K_XOR(state[odd + 2], _mm512_mask_shuffle_i64x2(b, 0xff, b, d, 0x88));
    state[odd + 6] = K_XOR(state[odd + 6], _mm512_mask_shuffle_i64x2(b, 0xff, b, d, 0xdd));
  }
}

FFE_AVX512 void absorb8(__m512i* state, const uint8_t* in, size_t stride) {
  absorb_octet(state, in, stride);
  absorb_octet(state + 8, in + 64, stride);
  alignas(64) uint64_t last[8];
  for (size_t k = 0; k < 8; ++k) last[k] = get_le64(in + k * stride + 128);
  state[16] = K_XOR(state[16], _mm512_load_si512(last));
  permute8(state);
}

}  // namespace

FFE_AVX512 void many8_avx512(const uint8_t* in, size_t stride, size_t len, H256* out) {
  __m512i state[25];
  for (__m512i& lane : state) lane = _mm512_setzero_si512();
  for (; len >= kRate; len -= kRate, in += kRate) absorb8(state, in, stride);
  alignas(64) uint8_t last[8][kRate] = {};
  for (size_t k = 0; k < 8; ++k) {
    if (len != 0) std::memcpy(last[k], in + k * stride, len);
    last[k][len] = 0x01;
    last[k][kRate - 1] |= 0x80;
  }
  absorb8(state, last[0], kRate);
  alignas(64) uint64_t lanes[4][8];
  for (size_t i = 0; i < 4; ++i) _mm512_store_si512(lanes[i], state[i]);
  for (size_t k = 0; k < 8; ++k) {
    for (size_t i = 0; i < 4; ++i) put_le64(out[k].data() + 8 * i, lanes[i][k]);
  }
}

}  // namespace ffe::crypto::keccak
