#include "lm/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "lm/bf16.hpp"

namespace ffe::lm {
namespace {

// The scalar twin: the same sixteen lanes as an array.
struct V {
  static constexpr int kTileRows = 2;
  static constexpr int kTileVectors = 1;

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

}  // namespace
}  // namespace ffe::lm

#include "lm/kernels_impl.hpp"

namespace ffe::lm {

const Kernels* avx2_kernels_unchecked();
const Kernels* avx512_kernels_unchecked();
void (*avx512_bf16_product_unchecked())(const Bf16Product&);

const Kernels& scalar_kernels() {
  static constexpr Kernels table = make_kernels("scalar");
  return table;
}

const Kernels* avx2_kernels() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has ? avx2_kernels_unchecked() : nullptr;
}

const Kernels* avx512_kernels() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has ? avx512_kernels_unchecked() : nullptr;
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
  if (avx512_kernels() && name != "avx2") return *avx512_kernels();
  return avx2_kernels() ? *avx2_kernels() : scalar_kernels();
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose_kernels();
  return chosen;
}

}  // namespace ffe::lm
