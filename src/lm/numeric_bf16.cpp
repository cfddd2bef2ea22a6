// The bf16 paths: weights rounded to bf16 in both orientations, activations rounded as they enter a
// product, sums in fp32.
#include <algorithm>

#include "lm/amx.hpp"
#include "lm/bf16.hpp"
#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads);

namespace {

size_t round_up(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

// Activations in bf16, each row padded with zeros.
PreparedRows round_rows(const FrozenProduct& p, size_t depth, size_t padded, int threads) {
  thread_local AlignedBuffer<uint16_t> buffer;
  // An odd number of cache lines, so that the rows of a tile do not fall on the same few sets.
  const size_t stride = round_up(padded, 32) | 32;
  buffer.resize(p.m * stride);
  uint16_t* to = buffer.data();
  parallel_rows(threads, p.m, [&](size_t i) {
    kernels().to_bf16(p.x + i * p.x_row, depth, to + i * stride);
    std::fill(to + i * stride + depth, to + i * stride + padded, uint16_t{0});
  });
  return {to, stride, nullptr, nullptr};
}

// Panels of sixteen outputs, [outputs / 16][depth / 2][16][2]: a vector of AVX512_BF16 holds a line
// of a panel, a tile of AMX sixteen lines. The depth is padded with zeros to whole steps.
class Bf16Matrix final : public FrozenMatrix {
 public:
  struct Backend {
    Bf16ProductFunction product;
    size_t step;   // of the depth
    size_t block;  // of the depth: what stays in the first-level cache
  };

  Bf16Matrix(size_t rows, size_t columns, const WeightReader& read, int threads, Backend backend)
      : FrozenMatrix(rows, columns),
        backend_(backend),
        forward_depth_(round_up(columns, backend.step)),
        backward_depth_(round_up(rows, backend.step)),
        forward_(round_up_lanes(rows) * forward_depth_),
        backward_(round_up_lanes(columns) * backward_depth_) {
    std::fill_n(forward_.data(), forward_.size(), uint16_t{0});
    std::fill_n(backward_.data(), backward_.size(), uint16_t{0});
    constexpr size_t kRowsAtOnce = 1024;  // even, so that no pair is cut
    AlignedBuffer<float> staging(std::min(rows, kRowsAtOnce) * columns);
    for (size_t first = 0; first < rows; first += kRowsAtOnce) {
      const size_t count = std::min(kRowsAtOnce, rows - first);
      read(first, {staging.data(), count * columns});
      lay_out(staging.data(), first, count, threads);
    }
  }

  PreparedRows prepare(const FrozenProduct& p, int threads) const override {
    return round_rows(p, columns_, forward_depth_, threads);
  }
  void forward_tile(const FrozenProduct& p, const PreparedRows& x, const Tile& t) const override {
    multiply(p, x, t, forward_.data(), forward_depth_);
  }
  void backward(const FrozenProduct& p, int threads) const override {
    const PreparedRows x = round_rows(p, rows_, backward_depth_, threads);
    for_each_tile(p.m, columns_, threads,
                  [&](const Tile& t) { multiply(p, x, t, backward_.data(), backward_depth_); });
  }
  void copy_row(size_t row, float* out) const override {
    const uint16_t* panel = forward_.data() + row / kLanes * kLanes * forward_depth_;
    for (size_t k = 0; k < columns_; ++k) {
      out[k] = from_bf16(panel[k / 2 * 2 * kLanes + row % kLanes * 2 + k % 2]);
    }
  }

 private:
  void lay_out(const float* values, size_t first, size_t count, int threads) {
    parallel_for(threads, (count + kLanes - 1) / kLanes, [&](size_t block) {
      const size_t end = std::min(count, (block + 1) * kLanes);
      for (size_t r = block * kLanes; r < end; ++r) {
        const size_t row = first + r;
        uint16_t* panel =
            forward_.data() + row / kLanes * kLanes * forward_depth_ + row % kLanes * 2;
        uint16_t* back = backward_.data() + row / 2 * 2 * kLanes + row % 2;
        for (size_t k = 0; k < columns_; ++k) {
          const uint16_t value = to_bf16(values[r * columns_ + k]);
          panel[k / 2 * 2 * kLanes + k % 2] = value;
          back[k / kLanes * kLanes * backward_depth_ + k % kLanes * 2] = value;
        }
      }
    });
  }

  void multiply(const FrozenProduct& p, const PreparedRows& x, const Tile& t,
                const uint16_t* panels, size_t padded) const {
    for (size_t k = 0; k < padded; k += backend_.block) {
      Bf16Product b;
      b.a = static_cast<const uint16_t*>(x.values) + t.row * x.row + k;
      b.a_row = x.row;
      b.b = panels + t.column * padded + k * kLanes;
      b.b_panel = padded * kLanes;
      b.k = std::min(backend_.block, padded - k);
      place_tile(p, t, b, k == 0);
      backend_.product(b);
    }
    add_terms(p, t);
  }

  Backend backend_;
  size_t forward_depth_, backward_depth_;
  AlignedBuffer<uint16_t, false> forward_, backward_;  // a base model is no secret
};

constexpr size_t kAvx512Block = 768;  // a panel of 24 KiB
constexpr size_t kAmxBlock = 512;     // two tiles of rows of X, 32 KiB

float round_to_bf16(float value) {
  return from_bf16(to_bf16(value));
}

// The same rounding with fp32 arithmetic, for machines without bf16.
class EmulatedMatrix final : public FrozenMatrix {
 public:
  EmulatedMatrix(size_t rows, size_t columns, const WeightReader& read, int threads)
      : FrozenMatrix(rows, columns),
        inner_(make_f32_matrix(
            rows, columns,
            [&](uint64_t first, std::span<float> out) {
              read(first, out);
              for (float& value : out) value = round_to_bf16(value);
            },
            threads)) {}

  PreparedRows prepare(const FrozenProduct& p, int threads) const override {
    return inner_->prepare(with_rounded(p, columns_, threads), threads);
  }
  void forward_tile(const FrozenProduct& p, const PreparedRows& x, const Tile& t) const override {
    inner_->forward_tile(p, x, t);
  }
  void backward(const FrozenProduct& p, int threads) const override {
    inner_->backward(with_rounded(p, rows_, threads), threads);
  }
  void copy_row(size_t row, float* out) const override { inner_->copy_row(row, out); }

 private:
  static FrozenProduct with_rounded(FrozenProduct p, size_t depth, int threads) {
    thread_local AlignedBuffer<float> buffer;
    buffer.resize(p.m * depth);
    float* to = buffer.data();
    parallel_rows(threads, p.m, [&](size_t i) {
      for (size_t k = 0; k < depth; ++k) to[i * depth + k] = round_to_bf16(p.x[i * p.x_row + k]);
    });
    p.x = to;
    p.x_row = depth;
    return p;
  }

  std::unique_ptr<FrozenMatrix> inner_;
};

}  // namespace

std::unique_ptr<FrozenMatrix> make_bf16_matrix(NumericPath path, size_t rows, size_t columns,
                                               const WeightReader& read, int threads) {
  switch (path) {
    case NumericPath::kAmxBf16:
      return std::make_unique<Bf16Matrix>(rows, columns, read, threads,
                                          Bf16Matrix::Backend{amx_product(), kAmxDepth, kAmxBlock});
    case NumericPath::kAvx512Bf16:
      return std::make_unique<Bf16Matrix>(
          rows, columns, read, threads,
          Bf16Matrix::Backend{avx512_bf16_product(), 2, kAvx512Block});
    default:
      return std::make_unique<EmulatedMatrix>(rows, columns, read, threads);
  }
}

std::unique_ptr<FrozenMatrix> make_emulated_amx_matrix(size_t rows, size_t columns,
                                                       const WeightReader& read, int threads) {
  return std::make_unique<Bf16Matrix>(
      rows, columns, read, threads,
      Bf16Matrix::Backend{emulated_amx_product, kAmxDepth, kAmxBlock});
}

}  // namespace ffe::lm
