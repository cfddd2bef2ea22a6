// The product with quantised weights with VPDPWSSD, which multiplies and adds in one instruction:
// the same integers as without it.
#include "lm/kernels_avx512.hpp"
#include "lm/kernels_packed.hpp"

namespace ffe::lm {

void (*avx512_vnni_packed_product_unchecked())(const PackedProduct&) {
  return packed_product;
}

}  // namespace ffe::lm
