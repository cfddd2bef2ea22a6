// A frozen weight matrix laid out for one numeric path: the interface behind which the paths
// differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "lm/arena.hpp"
#include "lm/dtype.hpp"
#include "lm/kernels.hpp"
#include "lm/numeric.hpp"

namespace ffe::lm {

// A low-rank addition to some rows of a product: Y[i] += h[i] · panels for i in [begin, end).
struct SkinnyTerm {
  size_t begin, end;
  const float* h;  // row i at h + i * h_row
  size_t h_row;
  const float* panels;  // [ceil(width / 16)][rank][16]
  size_t rank;
};

// Y[m, width] = start + X[m, depth] · M + the terms, in this order for every value.
struct FrozenProduct {
  const float* x;
  size_t x_row;
  size_t m;
  const float* start = nullptr;  // null: zero
  size_t start_row = 0;          // 0: the same row (a bias) for all
  float* y;
  size_t y_row;
  std::span<const SkinnyTerm> terms = {};
};

// A part of Y.
struct Tile {
  size_t row, rows;
  size_t column, columns;
};

// X in the form that a path multiplies; memory of the calling thread until its next preparation.
struct PreparedRows {
  const void* values;
  size_t row;           // from one row to the next, in values
  const float* scales;  // of fixed point, as in FixedRows
  const float* sums;
};

class FrozenMatrix {
 public:
  virtual ~FrozenMatrix() = default;
  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }

  // Y = X · Wᵀ: X [m, columns], Y [m, rows].
  void forward(const FrozenProduct& product, int threads) const;
  // Its steps: X is prepared, then multiplied tile by tile.
  virtual PreparedRows prepare(const FrozenProduct& product, int threads) const = 0;
  virtual void forward_tile(const FrozenProduct& product, const PreparedRows& x,
                            const Tile& tile) const = 0;
  // Y = X · W: X [m, rows], Y [m, columns].
  virtual void backward(const FrozenProduct& product, int threads) const = 0;
  // Row `row` of W as the path sees it (embeddings).
  virtual void copy_row(size_t row, float* out) const = 0;

 protected:
  FrozenMatrix(size_t rows, size_t columns) : rows_(rows), columns_(columns) {}

  size_t rows_;
  size_t columns_;
};

struct JointProduct {
  const FrozenMatrix* matrix;
  FrozenProduct product;
};
// forward() of each. All have the same X, which matrices of one kind prepare once and multiply in
// one parallel section.
void forward_all(std::span<const JointProduct> products, int threads);

// Fills `out` with rows [first, first + out.size() / columns) of the weights, fp32 row-major.
using WeightReader = std::function<void(uint64_t first, std::span<float> out)>;

std::unique_ptr<FrozenMatrix> make_frozen_matrix(NumericPath path, size_t rows, size_t columns,
                                                 const WeightReader& read, int threads);

// The bytes of one row in the file's format.
using RawRows = std::function<ByteView(uint64_t row)>;

// The quantised path's own matrix, for Q4_0, Q4_1 and Q8_0. It has no backward product. Scales must
// be finite.
bool can_stay_quantised(DType dtype);
std::unique_ptr<FrozenMatrix> make_quantised_matrix(DType dtype, size_t rows, size_t columns,
                                                    const RawRows& raw, int threads);

// The amx-bf16 path on emulated tiles: the same layouts, tails and chains on every machine.
std::unique_ptr<FrozenMatrix> make_emulated_amx_matrix(size_t rows, size_t columns,
                                                       const WeightReader& read, int threads);

}  // namespace ffe::lm
