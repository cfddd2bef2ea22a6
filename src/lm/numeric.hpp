// The numeric paths: how the products with the frozen weights are computed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ffe::lm {

// Everything but the products with frozen weights (LoRA's own products, attention, norms, the
// optimiser) is fp32 on every path. Same inputs on the same path give the same bits whatever the
// number of threads, the packing, or the instruction set (AVX2 or AVX-512) that a path runs on. Two
// paths never promise each other's bits: each sums in an order of its own
// (docs/trainer-performance.md).
enum class NumericPath {
  kF32,           // "f32"           fp32 weights and arithmetic (AVX2 or AVX-512 by CPUID)
  kBf16Emulated,  // "bf16-emulated" operands rounded to bf16, fp32 arithmetic: for tests
  kAvx512Bf16,    // "avx512-bf16"   operands rounded to bf16, VDPBF16PS
  kAmxBf16,       // "amx-bf16"      operands rounded to bf16, TDPBF16PS
  kQuantised,     // "quantised"     weights as the file quantised them, 16-bit fixed-point
                  //                 activations, exact integer sums: forward only, for generation
};

std::string_view numeric_name(NumericPath path);
// A path that trains. Throws Error{kUsage} listing the names. "auto" gives best_numeric_path().
NumericPath numeric_from_name(std::string_view name);
// Whether this machine can run it.
bool numeric_supported(NumericPath path);
// Throws Error{kUnsupported} that says why this machine cannot run it.
void require_numeric(NumericPath path);
// Those that train.
std::vector<NumericPath> supported_numeric_paths();
// The fastest of them.
NumericPath best_numeric_path();

}  // namespace ffe::lm
