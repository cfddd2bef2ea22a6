// Kernels for AVX-512 (F, BW, DQ, VL). Compiled with those flags; reached only after a CPUID check.
#include "lm/kernels_avx512.hpp"

#include "lm/kernels_impl.hpp"
#include "lm/kernels_transpose8.hpp"

namespace ffe::lm {

const Kernels* avx512_kernels_unchecked() {
  static constexpr Kernels table = make_kernels("avx512");
  return &table;
}

}  // namespace ffe::lm
