#include <immintrin.h>

#include "crypto/keccak_many.hpp"
#include "crypto/keccak_permutation.hpp"

// The full mask in K_ROL costs nothing; GCC 12 warns about the undefined source in its unmasked
// form. vpternlogq does three-input logic: 0x96 is a^b^c, 0xd2 is a ^ (~b & c).
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

FFE_AVX512 void absorb8(__m512i* state, const uint8_t* in, size_t stride) {
  const auto s = static_cast<long long>(stride);
  const __m512i offsets = _mm512_set_epi64(7 * s, 6 * s, 5 * s, 4 * s, 3 * s, 2 * s, s, 0);
  for (size_t i = 0; i < kRate / 8; ++i) {
    __m512i words =
        _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), 0xff, offsets, in + 8 * i, 1);
    state[i] = K_XOR(state[i], words);
  }
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
