// The product over tiles, for native and emulated ones. Included by one .cpp each; everything has
// internal linkage, so that no code compiled for AMX is linked into anything else.
//
// Blocks of 32 by 32 values take all eight tiles: four of C, two of A, two of B. Edges get tiles of
// fewer lines or columns, so nothing outside C is read or written.
#pragma once

#include <algorithm>

#include "lm/amx.hpp"
#include "lm/amx_tiles.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kBlock = 2 * kTileLines;

TileConfig block_config(size_t rows, size_t columns) {
  TileConfig config;
  for (int half = 0; half < 2; ++half) {
    const size_t skip = half * kTileLines;
    const size_t m = rows > skip ? std::min(rows - skip, kTileLines) : 0;
    const size_t n = columns > skip ? std::min(columns - skip, kTileLines) : 0;
    if (m > 0) config.shape(4 + half, m, kTileLineBytes);
    if (n > 0) config.shape(6 + half, kAmxDepth / 2, n * 4);
    for (int other = 0; other < 2; ++other) {
      const size_t across = columns > other * kTileLines
                                ? std::min(columns - other * kTileLines, kTileLines)
                                : size_t{0};
      if (m > 0 && across > 0) config.shape(2 * half + other, m, across * 4);
    }
  }
  return config;
}

template <int kRow, int kColumn, class Tiles>
inline void begin_tile(Tiles& tiles, const Bf16Product& p, size_t i, size_t j) {
  if (p.c0 == nullptr) {
    tiles.template zero<2 * kRow + kColumn>();
  } else {
    const float* from = p.c0 + (i + kRow * kTileLines) * p.c0_row + j + kColumn * kTileLines;
    tiles.template load<2 * kRow + kColumn>(from, p.c0_row * sizeof(float));
  }
}

template <int kRow, int kColumn, class Tiles>
inline void end_tile(Tiles& tiles, const Bf16Product& p, size_t i, size_t j) {
  float* to = p.c + (i + kRow * kTileLines) * p.c_row + j + kColumn * kTileLines;
  tiles.template store<2 * kRow + kColumn>(to, p.c_row * sizeof(float));
}

template <int kRows, int kColumns, class Tiles>
void product_block(Tiles& tiles, const Bf16Product& p, size_t i, size_t j) {
  begin_tile<0, 0>(tiles, p, i, j);
  if constexpr (kColumns > 1) begin_tile<0, 1>(tiles, p, i, j);
  if constexpr (kRows > 1) begin_tile<1, 0>(tiles, p, i, j);
  if constexpr (kRows > 1 && kColumns > 1) begin_tile<1, 1>(tiles, p, i, j);
  const uint16_t* a = p.a + i * p.a_row;
  const uint16_t* b = p.b + j / kLanes * p.b_panel;
  const size_t a_stride = p.a_row * sizeof(uint16_t);
  for (size_t k = 0; k < p.k; k += kAmxDepth, a += kAmxDepth, b += kAmxDepth * kLanes) {
    tiles.template load<6>(b, kTileLineBytes);
    tiles.template load<4>(a, a_stride);
    tiles.template dot<0, 4, 6>();
    if constexpr (kColumns > 1) {
      tiles.template load<7>(b + p.b_panel, kTileLineBytes);
      tiles.template dot<1, 4, 7>();
    }
    if constexpr (kRows > 1) {
      tiles.template load<5>(a + kTileLines * p.a_row, a_stride);
      tiles.template dot<2, 5, 6>();
      if constexpr (kColumns > 1) tiles.template dot<3, 5, 7>();
    }
  }
  end_tile<0, 0>(tiles, p, i, j);
  if constexpr (kColumns > 1) end_tile<0, 1>(tiles, p, i, j);
  if constexpr (kRows > 1) end_tile<1, 0>(tiles, p, i, j);
  if constexpr (kRows > 1 && kColumns > 1) end_tile<1, 1>(tiles, p, i, j);
}

template <class Tiles>
void tiled_product(Tiles& tiles, const Bf16Product& p) {
  size_t configured_rows = 0;
  size_t configured_columns = 0;
  for (size_t i = 0; i < p.m; i += kBlock) {
    const size_t rows = std::min(kBlock, p.m - i);
    for (size_t j = 0; j < p.n; j += kBlock) {
      const size_t columns = std::min(kBlock, p.n - j);
      if (rows != configured_rows || columns != configured_columns) {
        tiles.configure(block_config(rows, columns));
        configured_rows = rows;
        configured_columns = columns;
      }
      if (rows > kTileLines) {
        columns > kTileLines ? product_block<2, 2>(tiles, p, i, j)
                             : product_block<2, 1>(tiles, p, i, j);
      } else {
        columns > kTileLines ? product_block<1, 2>(tiles, p, i, j)
                             : product_block<1, 1>(tiles, p, i, j);
      }
    }
  }
  // A thread that leaves tiles in use makes every switch of threads save eight kilobytes more.
  tiles.release();
}

}  // namespace
}  // namespace ffe::lm
