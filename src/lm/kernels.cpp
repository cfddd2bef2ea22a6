#include "lm/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cpuid.h>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "lm/bf16.hpp"
#include "lm/dtype.hpp"

namespace ffe::lm {
namespace {

// The scalar twin: the same sixteen lanes as an array.
struct V {
  static constexpr int kTileRows = 2;
  static constexpr int kTileVectors = 1;
  static constexpr int kPackedRows = 2;

  float v[kLanes];

  template <class F>
  static V each(F f) {
    V r;
    for (size_t i = 0; i < kLanes; ++i) r.v[i] = f(i);
    return r;
  }
  static V zero() { return set1(0); }
  static V set1(float x) {
    return each([&](size_t) { return x; });
  }
  static V load(const float* p) {
    return each([&](size_t i) { return p[i]; });
  }
  static V load_n(const float* p, size_t n) {
    return each([&](size_t i) { return i < n ? p[i] : 0.0f; });
  }
  void store(float* p) const { store_n(p, kLanes); }
  void store_n(float* p, size_t n) const { std::copy_n(v, n, p); }
  void store_bf16(uint16_t* p) const {
    for (size_t i = 0; i < kLanes; ++i) p[i] = ffe::lm::to_bf16(v[i]);
  }
  void store_int16(int16_t* p) const {
    for (size_t i = 0; i < kLanes; ++i) {
      p[i] = static_cast<int16_t>(std::clamp(std::nearbyint(v[i]), -32768.0f, 32767.0f));
    }
  }
  static V load_half(const uint8_t* p) {
    return each([&](size_t i) { return half_to_float(get_le16(p + 2 * i)); });
  }
  static V fma(V a, V b, V c) {
    return each([&](size_t i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
  }
  static V max(V a, V b) {
    return each([&](size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static V min(V a, V b) {
    return each([&](size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static V sqrt(V a) {
    return each([&](size_t i) { return std::sqrt(a.v[i]); });
  }
  static float sqrt1(float a) { return std::sqrt(a); }
  static V round(V a) {
    return each([&](size_t i) { return std::nearbyint(a.v[i]); });
  }
  static V times_power_of_two(V a, V n) {
    return each([&](size_t i) { return std::ldexp(a.v[i], static_cast<int>(n.v[i])); });
  }
  static V zero_where_below(V a, V x, V limit) {
    return each([&](size_t i) { return x.v[i] >= limit.v[i] ? a.v[i] : 0.0f; });
  }
  float reduce_add() const {
    V s = *this;
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) s.v[i] += s.v[i + half];
    }
    return s.v[0];
  }
  float reduce_max() const { return *std::max_element(v, v + kLanes); }
  static void transpose16(const float* src, size_t src_row, float* dst, size_t dst_row) {
    for (size_t i = 0; i < 16; ++i) {
      for (size_t j = 0; j < 16; ++j) dst[j * dst_row + i] = src[i * src_row + j];
    }
  }
};

inline V operator+(V a, V b) {
  return V::each([&](size_t i) { return a.v[i] + b.v[i]; });
}
inline V operator-(V a, V b) {
  return V::each([&](size_t i) { return a.v[i] - b.v[i]; });
}
inline V operator*(V a, V b) {
  return V::each([&](size_t i) { return a.v[i] * b.v[i]; });
}
inline V operator/(V a, V b) {
  return V::each([&](size_t i) { return a.v[i] / b.v[i]; });
}

// Sixteen lanes of two 16-bit words each, or of one 32-bit integer.
struct I {
  int32_t v[kLanes];

  static int32_t pack(int32_t low, int32_t high) {
    return static_cast<int32_t>((static_cast<uint32_t>(high) << 16) | (low & 0xffff));
  }
  static int32_t low(int32_t lane) { return static_cast<int16_t>(lane & 0xffff); }
  static int32_t high(int32_t lane) { return lane >> 16; }

  template <class F>
  static I each(F f) {
    I r;
    for (size_t i = 0; i < kLanes; ++i) r.v[i] = f(i);
    return r;
  }
  static I zero() {
    return each([](size_t) { return 0; });
  }
  static I load(const uint8_t* p) {
    I r;
    std::memcpy(r.v, p, sizeof(r.v));
    return r;
  }
  static I pair(const int16_t* p) {
    return each([&](size_t) { return pack(p[0], p[1]); });
  }
  template <int kBits>
  I nibbles() const {
    return each([&](size_t i) { return (v[i] >> kBits) & 0x000f000f; });
  }
  I low_bytes() const {
    return each([&](size_t i) {
      return pack(static_cast<int8_t>(v[i] & 0xff), static_cast<int8_t>((v[i] >> 16) & 0xff));
    });
  }
  I high_bytes() const {
    return each([&](size_t i) {
      return pack(static_cast<int8_t>((v[i] >> 8) & 0xff), static_cast<int8_t>(v[i] >> 24));
    });
  }
  static I dot(I sum, I a, I b) {
    return each([&](size_t i) {
      return sum.v[i] + low(a.v[i]) * low(b.v[i]) + high(a.v[i]) * high(b.v[i]);
    });
  }
  static I add(I a, I b) {
    return each([&](size_t i) { return a.v[i] + b.v[i]; });
  }
  V to_float() const {
    return V::each([&](size_t i) { return static_cast<float>(v[i]); });
  }
};

}  // namespace
}  // namespace ffe::lm

#include "lm/kernels_impl.hpp"

namespace ffe::lm {

const Kernels* avx2_kernels_unchecked();
const Kernels* avx512_kernels_unchecked();
void (*avx512_bf16_product_unchecked())(const Bf16Product&);
void (*avx512_vnni_packed_product_unchecked())(const PackedProduct&);

namespace {

// Not every compiler's __builtin_cpu_supports() knows the name.
bool has_f16c() {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

}  // namespace

const Kernels& scalar_kernels() {
  static constexpr Kernels table = make_kernels("scalar");
  return table;
}

const Kernels* avx2_kernels() {
  static const bool has =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
  return has ? avx2_kernels_unchecked() : nullptr;
}

const Kernels* avx512_kernels() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has ? avx512_kernels_unchecked() : nullptr;
}

const Kernels* avx512_vnni_kernels() {
  static const bool has = avx512_kernels() != nullptr && __builtin_cpu_supports("avx512vnni");
  if (!has) return nullptr;
  static const Kernels table = [] {
    Kernels with = *avx512_kernels();
    with.packed_product = avx512_vnni_packed_product_unchecked();
    return with;
  }();
  return &table;
}

void (*avx512_bf16_product())(const Bf16Product&) {
  static const bool has = avx512_kernels() != nullptr && __builtin_cpu_supports("avx512bf16");
  return has ? avx512_bf16_product_unchecked() : nullptr;
}

namespace {

const Kernels& choose_kernels() {
  const char* asked = std::getenv("FFE_KERNELS");
  const std::string_view name = asked ? asked : "";
  if (name == "scalar") return scalar_kernels();
  if (avx512_vnni_kernels() && name != "avx2") return *avx512_vnni_kernels();
  if (avx512_kernels() && name != "avx2") return *avx512_kernels();
  return avx2_kernels() ? *avx2_kernels() : scalar_kernels();
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose_kernels();
  return chosen;
}

}  // namespace ffe::lm
