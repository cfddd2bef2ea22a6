#include "lm/dtype.hpp"

#include <bit>

// The block loops are written plainly; -O3 on them lets the compiler vectorise.
#if defined(__GNUC__) && !defined(__clang__)
#define FFE_HOT __attribute__((optimize("O3")))
#else
#define FFE_HOT
#endif

namespace ffe::lm {
namespace {

struct Format {
  std::string_view name;
  size_t elements;
  size_t bytes;
};

constexpr Format kFormats[] = {{"F32", 1, 4},      {"F16", 1, 2},     {"BF16", 1, 2},
                               {"Q8_0", 32, 34},   {"Q4_0", 32, 18},  {"Q4_1", 32, 20},
                               {"Q4_K", 256, 144}, {"Q6_K", 256, 210}};

const Format& format(DType dtype) {
  return kFormats[static_cast<size_t>(dtype)];
}

inline float half_at(const uint8_t* p) {
  return half_to_float(get_le16(p));
}

FFE_HOT void from_f16(const uint8_t* in, float* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = half_at(in + 2 * i);
}

FFE_HOT void from_bf16(const uint8_t* in, float* out, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = bfloat16_to_float(get_le16(in + 2 * i));
}

// Block: scale f16, 32 × i8.
FFE_HOT void from_q8_0(const uint8_t* in, float* out, size_t blocks) {
  for (size_t b = 0; b < blocks; ++b, in += 34, out += 32) {
    const float d = half_at(in);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(static_cast<int8_t>(in[2 + i]));
  }
}

// Block: scale f16, 16 bytes; byte i holds weights i (low nibble) and i + 16, offset by 8.
FFE_HOT void from_q4_0(const uint8_t* in, float* out, size_t blocks) {
  for (size_t b = 0; b < blocks; ++b, in += 18, out += 32) {
    const float d = half_at(in);
    for (int i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>((in[2 + i] & 15) - 8);
      out[i + 16] = d * static_cast<float>((in[2 + i] >> 4) - 8);
    }
  }
}

// Block: scale f16, minimum f16, 16 bytes as in Q4_0 without the offset.
FFE_HOT void from_q4_1(const uint8_t* in, float* out, size_t blocks) {
  for (size_t b = 0; b < blocks; ++b, in += 20, out += 32) {
    const float d = half_at(in);
    const float m = half_at(in + 2);
    for (int i = 0; i < 16; ++i) {
      out[i] = d * static_cast<float>(in[4 + i] & 15) + m;
      out[i + 16] = d * static_cast<float>(in[4 + i] >> 4) + m;
    }
  }
}

// Sub-block j's 6-bit scale and minimum from the 12 bytes that pack eight of each.
inline void q4_k_scale(const uint8_t* s, int j, float& scale, float& minimum) {
  int sc = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
  int mn = j < 4 ? s[j + 4] & 63 : (s[j + 4] >> 4) | (s[j] >> 6) << 4;
  scale = static_cast<float>(sc);
  minimum = static_cast<float>(mn);
}

// Block: scale f16, scale of the minima f16, 12 bytes of sub-scales, 128 bytes of nibbles: each run
// of 32 bytes holds one sub-block in its low and the next in its high nibbles.
FFE_HOT void from_q4_k(const uint8_t* in, float* out, size_t blocks) {
  for (size_t b = 0; b < blocks; ++b, in += 144) {
    const float d = half_at(in);
    const float dmin = half_at(in + 2);
    const uint8_t* q = in + 16;
    for (int j = 0; j < 8; j += 2, q += 32, out += 64) {
      float s0, m0, s1, m1;
      q4_k_scale(in + 4, j, s0, m0);
      q4_k_scale(in + 4, j + 1, s1, m1);
      const float d0 = d * s0, n0 = dmin * m0, d1 = d * s1, n1 = dmin * m1;
      for (int i = 0; i < 32; ++i) {
        out[i] = d0 * static_cast<float>(q[i] & 15) - n0;
        out[i + 32] = d1 * static_cast<float>(q[i] >> 4) - n1;
      }
    }
  }
}

// Block: 128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 × i8 sub-scales, scale f16. Each
// half of 128 weights interleaves four runs of 32.
FFE_HOT void from_q6_k(const uint8_t* in, float* out, size_t blocks) {
  for (size_t b = 0; b < blocks; ++b, in += 210) {
    const float d = half_at(in + 208);
    for (int half = 0; half < 2; ++half, out += 128) {
      const uint8_t* low = in + 64 * half;
      const uint8_t* high = in + 128 + 32 * half;
      const uint8_t* scales = in + 192 + 8 * half;
      for (int run = 0; run < 4; ++run) {
        for (int i = 0; i < 32; ++i) {
          const int nibble = run < 2 ? low[i + 32 * run] & 15 : low[i + 32 * (run - 2)] >> 4;
          const int q = (nibble | ((high[i] >> (2 * run)) & 3) << 4) - 32;
          const float scale = d * static_cast<float>(static_cast<int8_t>(scales[2 * run + i / 16]));
          out[32 * run + i] = scale * static_cast<float>(q);
        }
      }
    }
  }
}

}  // namespace

std::string_view dtype_name(DType dtype) {
  return format(dtype).name;
}
size_t block_elements(DType dtype) {
  return format(dtype).elements;
}
size_t block_bytes(DType dtype) {
  return format(dtype).bytes;
}

float half_to_float(uint16_t half) {
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t sign = uint32_t{half & 0x8000u} << 16;
  // Rebias the exponent from 15 to 127; infinities and NaNs keep the largest exponent.
  uint32_t normal = (magnitude << 13) + (112u << 23);
  if (magnitude >= 0x7c00u) normal += 112u << 23;
  const uint32_t subnormal = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  return std::bit_cast<float>(sign | (magnitude < 0x0400u ? subnormal : normal));
}

float bfloat16_to_float(uint16_t half) {
  return std::bit_cast<float>(uint32_t{half} << 16);
}

void dequantise(DType dtype, const uint8_t* in, float* out, size_t count) {
  static_assert(std::endian::native == std::endian::little);
  switch (dtype) {
    case DType::kF32:
      std::memcpy(out, in, count * 4);
      return;
    case DType::kF16:
      from_f16(in, out, count);
      return;
    case DType::kBF16:
      from_bf16(in, out, count);
      return;
    case DType::kQ8_0:
      from_q8_0(in, out, count / 32);
      return;
    case DType::kQ4_0:
      from_q4_0(in, out, count / 32);
      return;
    case DType::kQ4_1:
      from_q4_1(in, out, count / 32);
      return;
    case DType::kQ4_K:
      from_q4_k(in, out, count / 256);
      return;
    case DType::kQ6_K:
      from_q6_k(in, out, count / 256);
      return;
  }
}

}  // namespace ffe::lm
