// The f32 path: weights in panels of sixteen rows, [rows / 16][columns][16]. The backward product
// needs the other orientation, which is transposed block by block as it goes: one layout in memory.
#include <algorithm>

#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kDepthBlock = 384;      // a panel of 24 KiB stays in the first-level cache
constexpr size_t kBackwardChunk = 1024;  // rows of W transposed at a time

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

  void forward(const FrozenProduct& p, int threads) const override {
    for_each_tile(p.m, rows_, threads, [&](const Tile& t) {
      for (size_t k = 0; k < columns_; k += kDepthBlock) {
        BlockProduct b;
        b.a = p.x + t.row * p.x_row + k;
        b.a_row = p.x_row;
        b.a_col = 1;
        b.b = panels_.data() + t.column * columns_ + k * kLanes;
        b.b_row = kLanes;
        b.b_panel = columns_ * kLanes;
        b.k = std::min(kDepthBlock, columns_ - k);
        multiply_tile(p, t, b, k == 0);
      }
      add_terms(p, t);
    });
  }

  void backward(const FrozenProduct& p, int threads) const override {
    const size_t chunk = std::min(kBackwardChunk, round_up_lanes(rows_));
    const size_t width = round_up_lanes(columns_);
    AlignedBuffer<float>& scratch = scratch_of_thread();
    scratch.resize(chunk * width);
    for (size_t first = 0; first < rows_; first += chunk) {
      const size_t depth = std::min(chunk, rows_ - first);
      transpose_chunk(first, depth, scratch.data(), threads);
      const bool last = first + depth == rows_;
      for_each_tile(p.m, columns_, threads, [&](const Tile& t) {
        for (size_t k = 0; k < depth; k += kDepthBlock) {
          BlockProduct b;
          b.a = p.x + t.row * p.x_row + first + k;
          b.a_row = p.x_row;
          b.a_col = 1;
          b.b = scratch.data() + t.column * depth + k * kLanes;
          b.b_row = kLanes;
          b.b_panel = depth * kLanes;
          b.k = std::min(kDepthBlock, depth - k);
          multiply_tile(p, t, b, first + k == 0);
        }
        if (last) add_terms(p, t);
      });
    }
  }

  void copy_row(size_t row, float* out) const override {
    const float* from = panels_.data() + row / kLanes * kLanes * columns_ + row % kLanes;
    for (size_t k = 0; k < columns_; ++k) out[k] = from[k * kLanes];
  }

 private:
  // One for all matrices: the calling thread's, which its workers fill and read.
  static AlignedBuffer<float>& scratch_of_thread() {
    thread_local AlignedBuffer<float> scratch;
    return scratch;
  }

  // Rows [first, first + depth) of W as panels of sixteen columns.
  void transpose_chunk(size_t first, size_t depth, float* scratch, int threads) const {
    parallel_for(threads, (columns_ + kLanes - 1) / kLanes, [&](size_t panel) {
      const size_t column = panel * kLanes;
      const size_t width = std::min(kLanes, columns_ - column);
      float* to = scratch + column * depth;
      for (size_t row = 0; row < depth; row += kLanes) {
        const float* from = panels_.data() + (first + row) * columns_ + column * kLanes;
        kernels().transpose(from, kLanes, width, std::min(kLanes, depth - row), to + row * kLanes,
                            kLanes, kLanes);
      }
    });
  }

  AlignedBuffer<float> panels_;
};

}  // namespace

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads) {
  return std::make_unique<F32Matrix>(rows, columns, read, threads);
}

}  // namespace ffe::lm
