// Products with quantised weights, over a vector V of sixteen floats and I of sixteen pairs of
// 16-bit words. Included by the files of the instruction sets, like kernels_impl.hpp.
//
// A panel holds sixteen outputs, block after block. A block of 32 inputs: 4 (of 4-bit weights) or 8
// (of 8-bit weights) vectors of 64 bytes, then sixteen scales in fp16, for Q4_1 sixteen minima. A
// vector has a lane of two words for each output. Weights 2n and 2n + 1 of the vector's 8 (or 4)
// inputs are part n of the two words: a nibble (or a byte). So a part is a pair of weights of each
// output, which meets the pair of inputs that belongs to it.
#pragma once

#include "lm/kernels.hpp"

namespace ffe::lm {
namespace {

template <PackedFormat kFormat>
struct PackedBlock {
  static constexpr bool kNibbles = kFormat != PackedFormat::kQ8_0;
  static constexpr int kVectors = kNibbles ? 4 : 8;
  static constexpr int kParts = kNibbles ? 4 : 2;
  static constexpr size_t kScales = kVectors * 64;
  static constexpr size_t kMinima = kScales + 2 * kLanes;
  static constexpr size_t kBytes = kMinima + (kFormat == PackedFormat::kQ4_1 ? 2 * kLanes : 0);

  template <int kPart>
  static I part(I vector) {
    if constexpr (kNibbles) return vector.template nibbles<4 * kPart>();
    return kPart == 0 ? vector.low_bytes() : vector.high_bytes();
  }
};

// The sums of one part of one vector for all rows.
template <PackedFormat kFormat, int kPart, int kRows, int kChains>
inline void add_part(I vector, const int16_t* x, size_t row, I (&sums)[kRows][kChains]) {
  using Block = PackedBlock<kFormat>;
  if constexpr (kPart < Block::kParts) {
    const I weights = Block::template part<kPart>(vector);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      I& sum = sums[i][kPart % kChains];
      sum = I::dot(sum, weights, I::pair(x + static_cast<size_t>(i) * row + 2 * kPart));
    }
    add_part<kFormat, kPart + 1>(vector, x, row, sums);
  }
}

// Few rows have several chains of sums each, so that no addition waits for the one before.
template <PackedFormat kFormat, int kRows>
inline void packed_tile(const PackedProduct& p, size_t row, const uint8_t* w, size_t column,
                        size_t width) {
  using Block = PackedBlock<kFormat>;
  constexpr int kChains = kRows == 1 ? 4 : kRows < 4 ? 2 : 1;
  V acc[kRows];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    const float* from = p.c0 ? p.c0 + (row + i) * p.c0_row + column : nullptr;
    acc[i] = from == nullptr ? V::zero() : width == kLanes ? V::load(from) : V::load_n(from, width);
  }
  const size_t x_row = p.blocks * kPackedBlock;
  const int16_t* x = p.x.values + row * x_row;
  for (size_t b = 0; b < p.blocks; ++b, w += Block::kBytes, x += kPackedBlock) {
    I sums[kRows][kChains];
    for (auto& of_row : sums) {
      for (I& sum : of_row) sum = I::zero();
    }
#pragma GCC unroll 8
    for (int v = 0; v < Block::kVectors; ++v) {
      add_part<kFormat, 0>(I::load(w + 64 * v), x + 2 * Block::kParts * v, x_row, sums);
    }
    const V d = V::load_half(w + Block::kScales);
    V minimum = V::zero();
    if constexpr (kFormat == PackedFormat::kQ4_1) minimum = V::load_half(w + Block::kMinima);
    if constexpr (kFormat == PackedFormat::kQ4_0) minimum = V::set1(-8.0f) * d;
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      I sum = sums[i][0];
      for (int chain = 1; chain < kChains; ++chain) sum = I::add(sum, sums[i][chain]);
      const size_t at = (row + i) * p.blocks + b;
      acc[i] = V::fma(sum.to_float(), d * V::set1(p.x.scales[at]), acc[i]);
      if constexpr (kFormat != PackedFormat::kQ8_0) {
        acc[i] = V::fma(minimum, V::set1(p.x.sums[at]), acc[i]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    float* to = p.c + (row + i) * p.c_row + column;
    if (width == kLanes) {
      acc[i].store(to);
    } else {
      acc[i].store_n(to, width);
    }
  }
}

template <PackedFormat kFormat, int kRows>
inline void packed_rows_left(const PackedProduct& p, size_t row, const uint8_t* w, size_t column,
                             size_t width) {
  if constexpr (kRows > 0) {
    if (p.m - row == kRows) {
      packed_tile<kFormat, kRows>(p, row, w, column, width);
    } else {
      packed_rows_left<kFormat, kRows - 1>(p, row, w, column, width);
    }
  }
}

template <PackedFormat kFormat>
void packed_panels(const PackedProduct& p) {
  for (size_t j = 0; j < p.n; j += kLanes) {
    const uint8_t* w = p.w + j / kLanes * p.w_panel;
    const size_t width = p.n - j < kLanes ? p.n - j : kLanes;
    size_t i = 0;
    for (; i + V::kPackedRows <= p.m; i += V::kPackedRows) {
      packed_tile<kFormat, V::kPackedRows>(p, i, w, j, width);
    }
    packed_rows_left<kFormat, V::kPackedRows - 1>(p, i, w, j, width);
  }
}

void packed_product(const PackedProduct& p) {
  switch (p.format) {
    case PackedFormat::kQ4_0:
      return packed_panels<PackedFormat::kQ4_0>(p);
    case PackedFormat::kQ4_1:
      return packed_panels<PackedFormat::kQ4_1>(p);
    case PackedFormat::kQ8_0:
      return packed_panels<PackedFormat::kQ8_0>(p);
  }
}

}  // namespace
}  // namespace ffe::lm
