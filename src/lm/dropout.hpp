// Dropout whose mask depends on the adapter's own stream, step and row only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lm/adapter_file.hpp"

namespace ffe::lm {

struct DropoutStream;

// Rows [begin, end) of `x` (a whole pack's matrix of `width` columns): each value is zeroed with
// the stream's probability, or divided by what is left of 1. The mask is a function of the stream,
// layer, projection, the row's number within the adapter's step, and the column.
void apply_dropout(const DropoutStream& stream, size_t layer, Projection which,
                   const uint64_t* row_numbers, size_t begin, size_t end, size_t width, float* x);

// The stream of one step of the adapter whose seed words are given.
DropoutStream dropout_of_step(const uint64_t seed[4], float probability, uint64_t step);

}  // namespace ffe::lm
