// Storage formats of weights and their conversion to float.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::lm {

// kQ…: llama.cpp's block formats; a block holds block_elements() weights in block_bytes() bytes.
enum class DType : uint8_t { kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_1, kQ4_K, kQ6_K };

std::string_view dtype_name(DType dtype);
size_t block_elements(DType dtype);  // 1 for F32, F16 and BF16
size_t block_bytes(DType dtype);

float half_to_float(uint16_t half);      // IEEE 754 binary16
float bfloat16_to_float(uint16_t half);  // the upper half of a float

// Converts `count` weights, a multiple of block_elements(), from `in` (count / block_elements() *
// block_bytes() bytes, any alignment) to `out`.
void dequantise(DType dtype, const uint8_t* in, float* out, size_t count);

}  // namespace ffe::lm
