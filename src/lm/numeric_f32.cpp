// The f32 path: weights in panels of sixteen rows, [rows / 16][columns][16]. The backward product
// needs the other orientation, which is transposed block by block as it goes: one layout in memory.
#include <algorithm>

#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kDepthBlock = 384;  // a panel of 24 KiB stays in the first-level cache
constexpr size_t kTasksPerThread = 3;

class F32Matrix final : public FrozenMatrix {
 public:
  F32Matrix(size_t rows, size_t columns, const WeightReader& read, int threads)
      : FrozenMatrix(rows, columns), panels_(round_up_lanes(rows) * columns) {
    constexpr size_t kRowsAtOnce = 1024;
    AlignedBuffer<float> staging(std::min(rows, kRowsAtOnce) * columns);
    for (size_t first = 0; first < rows; first += kRowsAtOnce) {
      const size_t count = std::min(kRowsAtOnce, rows - first);
      read(first, {staging.data(), count * columns});
      parallel_for(threads, (count + kLanes - 1) / kLanes, [&](size_t panel) {
        const size_t row = panel * kLanes;
        kernels().transpose(staging.data() + row * columns, columns, std::min(kLanes, count - row),
                            columns, panels_.data() + (first + row) * columns, kLanes, kLanes);
      });
    }
  }

  PreparedRows prepare(const FrozenProduct& p, int) const override {
    return {p.x, p.x_row, nullptr, nullptr};
  }

  void forward_tile(const FrozenProduct& p, const PreparedRows& x, const Tile& t) const override {
    for (size_t k = 0; k < columns_; k += kDepthBlock) {
      BlockProduct b;
      b.a = static_cast<const float*>(x.values) + t.row * x.row + k;
      b.a_row = x.row;
      b.a_col = 1;
      b.b = panels_.data() + t.column * columns_ + k * kLanes;
      b.b_row = kLanes;
      b.b_panel = columns_ * kLanes;
      b.k = std::min(kDepthBlock, columns_ - k);
      multiply_tile(p, t, b, k == 0);
    }
    add_terms(p, t);
  }

  // Each task takes a strip of columns; the block of W that it needs next is transposed into the
  // second-level cache and meets all of the task's rows there.
  void backward(const FrozenProduct& p, int threads) const override {
    const size_t strips = (columns_ + kTileColumns - 1) / kTileColumns;
    const size_t row_tiles = (p.m + kTileRows - 1) / kTileRows;
    // Few strips for many threads: cut the rows too, and transpose more than once.
    const size_t wanted = (kTasksPerThread * static_cast<size_t>(threads) + strips - 1) / strips;
    const size_t parts = threads == 1 ? 1 : std::clamp<size_t>(wanted, 1, row_tiles);
    const size_t height = (row_tiles + parts - 1) / parts * kTileRows;
    parallel_for(threads, parts * strips, [&](size_t task) {
      const size_t row = task / strips * height;
      if (row >= p.m) return;
      const size_t column = task % strips * kTileColumns;
      backward_strip(
          p, {row, std::min(height, p.m - row), column, std::min(kTileColumns, columns_ - column)});
    });
  }

  void copy_row(size_t row, float* out) const override {
    const float* from = panels_.data() + row / kLanes * kLanes * columns_ + row % kLanes;
    for (size_t k = 0; k < columns_; ++k) out[k] = from[k * kLanes];
  }

 private:
  void backward_strip(const FrozenProduct& p, const Tile& strip) const {
    thread_local AlignedBuffer<float> block(kDepthBlock * kTileColumns);
    for (size_t first = 0; first < rows_; first += kDepthBlock) {
      const size_t depth = std::min(kDepthBlock, rows_ - first);
      transpose_block(first, depth, strip, block.data());
      for (size_t row = 0; row < strip.rows; row += kTileRows) {
        const Tile t{strip.row + row, std::min(kTileRows, strip.rows - row), strip.column,
                     strip.columns};
        BlockProduct b;
        b.a = p.x + t.row * p.x_row + first;
        b.a_row = p.x_row;
        b.a_col = 1;
        b.b = block.data();
        b.b_row = kLanes;
        b.b_panel = depth * kLanes;
        b.k = depth;
        multiply_tile(p, t, b, first == 0);
      }
    }
    add_terms(p, strip);
  }

  // Rows [first, first + depth) of the strip's columns of W, as panels of sixteen columns.
  void transpose_block(size_t first, size_t depth, const Tile& strip, float* block) const {
    for (size_t column = 0; column < strip.columns; column += kLanes) {
      const size_t width = std::min(kLanes, strip.columns - column);
      float* to = block + column * depth;
      for (size_t row = 0; row < depth; row += kLanes) {
        const float* from =
            panels_.data() + (first + row) * columns_ + (strip.column + column) * kLanes;
        kernels().transpose(from, kLanes, width, std::min(kLanes, depth - row), to + row * kLanes,
                            kLanes, kLanes);
      }
    }
  }

  AlignedBuffer<float, false> panels_;  // a base model is no secret
};

}  // namespace

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads) {
  return std::make_unique<F32Matrix>(rows, columns, read, threads);
}

}  // namespace ffe::lm
