// Base64 as in RFC 4648. With AVX2, 32 digits at a time by the method of W. Muła and D. Lemire,
// "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018): a segment of 0G Storage is
// 350 kB of it.
#include <immintrin.h>

#include "base/hex.hpp"

#define FFE_AVX2 __attribute__((target("avx2")))

namespace ffe {
namespace {

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

std::array<int8_t, 256> base64_table() {
  std::array<int8_t, 256> table;
  table.fill(-1);
  for (int i = 0; i < 64; ++i) table[static_cast<uint8_t>(kBase64[i])] = static_cast<int8_t>(i);
  return table;
}

[[noreturn]] void bad_base64(size_t offset) {
  throw Error(ErrorCode::kBadInput, "not base64 at offset " + std::to_string(offset));
}

// The same 16 bytes in both halves: shuffles work within halves.
FFE_AVX2 inline __m256i both(__m128i half) {
  return _mm256_broadcastsi128_si256(half);
}

// 24 bytes to 32 digits each time, while 28 bytes can be read. How many bytes were taken.
FFE_AVX2 size_t encode_avx2(ByteView bytes, char* to) {
  const __m256i spread = both(_mm_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
  // What is added to 0..25, 26..51, each digit, 62 and 63 to make the character.
  const __m256i shift =
      both(_mm_setr_epi8('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                         '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0));
  size_t i = 0;
  for (; i + 28 <= bytes.size(); i += 24, to += 32) {
    const auto* from = reinterpret_cast<const __m128i*>(bytes.data() + i);
    const auto* next = reinterpret_cast<const __m128i*>(bytes.data() + i + 12);
    const __m256i in =
        _mm256_shuffle_epi8(_mm256_set_m128i(_mm_loadu_si128(next), _mm_loadu_si128(from)), spread);
    const __m256i odd = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)),
                                           _mm256_set1_epi32(0x04000040));
    const __m256i even = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)),
                                            _mm256_set1_epi32(0x01000010));
    const __m256i digits = _mm256_or_si256(odd, even);
    const __m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), digits);
    const __m256i kind = _mm256_or_si256(_mm256_subs_epu8(digits, _mm256_set1_epi8(51)),
                                         _mm256_and_si256(upper, _mm256_set1_epi8(13)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_add_epi8(digits, _mm256_shuffle_epi8(shift, kind)));
  }
  return i;
}

// 32 digits to 24 bytes each time, while 48 digits are left: it writes 32 bytes. Stops before
// digits that are none. How many digits were taken.
FFE_AVX2 size_t decode_avx2(std::string_view text, uint8_t* to) {
  // A character is a digit if the entries of its two nibbles share no bit.
  const __m256i low_kinds = both(_mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                               0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a));
  const __m256i high_kinds = both(
      _mm_setr_epi8(0x10, 0x10, 1, 2, 4, 8, 4, 8, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
  const __m256i shift =
      both(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
  const __m256i pack = both(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
  const __m256i join = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);
  const __m256i slash = _mm256_set1_epi8(0x2f);
  size_t at = 0;
  for (; at + 48 <= text.size(); at += 32, to += 24) {
    const __m256i in = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(in, 4), slash);
    const __m256i low = _mm256_and_si256(in, slash);
    if (!_mm256_testz_si256(_mm256_shuffle_epi8(low_kinds, low),
                            _mm256_shuffle_epi8(high_kinds, high))) {
      break;
    }
    const __m256i roll =
        _mm256_shuffle_epi8(shift, _mm256_add_epi8(_mm256_cmpeq_epi8(in, slash), high));
    const __m256i pairs =
        _mm256_maddubs_epi16(_mm256_add_epi8(in, roll), _mm256_set1_epi32(0x01400140));
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(fours, pack), join));
  }
  return at;
}

}  // namespace

std::string to_base64(ByteView bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  size_t i = has_avx2() ? encode_avx2(bytes, out.data()) : 0;
  for (char* to = out.data() + i / 3 * 4; i < bytes.size(); i += 3, to += 4) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t v = 0;
    for (size_t j = 0; j < 3; ++j) v = v << 8 | (j < n ? bytes[i + j] : 0);
    for (size_t j = 0; j <= n; ++j) to[j] = kBase64[v >> (18 - 6 * j) & 63];
  }
  return out;
}

Bytes from_base64(std::string_view text) {
  static const std::array<int8_t, 256> kTable = base64_table();
  if (text.size() % 4 != 0) bad_base64(text.size());
  const size_t pad = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  Bytes out(text.size() / 4 * 3 - pad);
  size_t at = has_avx2() ? decode_avx2(text, out.data()) : 0;
  for (uint8_t* to = out.data() + at / 4 * 3; at < text.size(); at += 4) {
    const size_t digits = at + 4 == text.size() ? 4 - pad : 4;
    uint32_t v = 0;
    for (size_t j = 0; j < 4; ++j) {
      const int8_t d = j < digits ? kTable[static_cast<uint8_t>(text[at + j])] : int8_t{0};
      if (d < 0) bad_base64(at + j);
      v = v << 6 | static_cast<uint32_t>(d);
    }
    // The bits that no byte takes must be zero: every byte string has one spelling.
    if ((v & ((1u << 8 * (4 - digits)) - 1)) != 0) bad_base64(at);
    for (size_t j = 0; j + 1 < digits; ++j) *to++ = static_cast<uint8_t>(v >> (16 - 8 * j));
  }
  return out;
}

}  // namespace ffe
