// Products of bf16 pairs on AMX tiles.
//
// A value's chain takes 32 terms at a time, in index order: TDPBF16PS sums the even ones and the
// odd ones of them in two chains of fused multiply-adds from zero, adds the two sums, and adds that
// to the value; denormals are zero at every step (Intel SDM vol. 2, TDPBF16PS). So a value depends
// on its own row and column only, whatever tile it lies in.
#pragma once

#include <string>

#include "lm/kernels.hpp"

namespace ffe::lm {

// p.k and where rows of A and panels of B lie must allow whole steps of this many terms; the
// padding is zero.
inline constexpr size_t kAmxDepth = 32;

using Bf16ProductFunction = void (*)(const Bf16Product&);

// Null where this machine cannot run it: then amx_obstacle() says why, in half a sentence. The
// first call asks the operating system for the tiles and compares a small product with the
// emulation.
Bf16ProductFunction amx_product();
const std::string& amx_obstacle();

// The same with tiles in memory and plain arithmetic as the manual describes it. Runs everywhere,
// slowly: for tests, and for the comparison above.
void emulated_amx_product(const Bf16Product& p);

// Whether `product` computes what the emulation computes: equal bits where every order of additions
// gives the same, and within rounding elsewhere.
bool amx_product_is_right(Bf16ProductFunction product);

}  // namespace ffe::lm
