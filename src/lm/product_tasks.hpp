// How a large product is cut into tiles for the cores; shared by the numeric paths.
#pragma once

#include <algorithm>

#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"

namespace ffe::lm {

inline constexpr size_t kTileRows = 96;  // with 384 of depth: 144 KiB of X, in the second level
inline constexpr size_t kTileColumns = 96;

// Tiles that cover [m, n]. Few rows (generation) are cut along the columns only.
struct Tiling {
  Tiling(size_t m, size_t n) : m(m), n(n), columns((n + kTileColumns - 1) / kTileColumns) {
    const size_t rows = std::max<size_t>(1, (m + kTileRows - 1) / kTileRows);
    height = (m + rows - 1) / rows;
    count = rows * columns;
  }
  // Neighbours share rows of X; a tile may be empty.
  Tile at(size_t index) const {
    const size_t row = index / columns * height;
    const size_t column = index % columns * kTileColumns;
    return {row, row < m ? std::min(height, m - row) : 0, column,
            std::min(kTileColumns, n - column)};
  }

  size_t m, n, columns, height, count;
};

// Calls body(tile) for the tiles of [m, n], on several threads.
template <class Body>
void for_each_tile(size_t m, size_t n, int threads, Body body) {
  const Tiling tiling(m, n);
  parallel_for(threads, tiling.count, [&](size_t index) {
    const Tile tile = tiling.at(index);
    if (tile.rows > 0) body(tile);
  });
}

// Fills in the rest of `b`: where the chain starts and where it goes.
template <class Block>
inline void place_tile(const FrozenProduct& p, const Tile& t, Block& b, bool first) {
  b.c = p.y + t.row * p.y_row + t.column;
  b.c_row = p.y_row;
  b.c0 = b.c;
  b.c0_row = p.y_row;
  if (first) {
    b.c0 = p.start ? p.start + t.row * p.start_row + t.column : nullptr;
    b.c0_row = p.start_row;
  }
  b.m = t.rows;
  b.n = t.columns;
}

inline void multiply_tile(const FrozenProduct& p, const Tile& t, BlockProduct& b, bool first) {
  place_tile(p, t, b, first);
  kernels().block_product(b);
}

inline void add_terms(const FrozenProduct& p, const Tile& t) {
  for (const SkinnyTerm& term : p.terms) {
    const size_t begin = std::max(term.begin, t.row);
    const size_t end = std::min(term.end, t.row + t.rows);
    if (begin >= end) continue;
    BlockProduct b;
    b.a = term.h + begin * term.h_row;
    b.a_row = term.h_row;
    b.a_col = 1;
    b.b = term.panels + t.column * term.rank;
    b.b_row = kLanes;
    b.b_panel = term.rank * kLanes;
    b.k = term.rank;
    place_tile(p, Tile{begin, end - begin, t.column, t.columns}, b, false);
    kernels().block_product(b);
  }
}

}  // namespace ffe::lm
