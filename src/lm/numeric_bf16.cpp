// The bf16 paths: weights rounded to bf16 in both orientations, activations rounded as they enter a
// product, sums in fp32.
#include <algorithm>

#include "lm/bf16.hpp"
#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {

std::unique_ptr<FrozenMatrix> make_f32_matrix(size_t rows, size_t columns, const WeightReader& read,
                                              int threads);

namespace {

constexpr size_t kDepthBlock = 768;  // a panel of 24 KiB stays in the first-level cache

size_t even(size_t n) {
  return n + n % 2;
}

// The activations of a product, rounded; rows of an odd length get a zero.
template <class T, class Convert>
const T* rounded(const FrozenProduct& p, size_t depth, int threads, Convert convert) {
  thread_local AlignedBuffer<T> buffer;
  const size_t width = even(depth);
  buffer.resize(p.m * width);
  T* to = buffer.data();
  parallel_rows(threads, p.m, [&](size_t i) {
    for (size_t k = 0; k < depth; ++k) to[i * width + k] = convert(p.x[i * p.x_row + k]);
    if (width > depth) to[i * width + depth] = 0;
  });
  return to;
}

using Product = void (*)(const Bf16Product&);

// Panels of sixteen outputs, [outputs / 16][depth / 2][16][2]: for AVX512_BF16, and a tile register
// of AMX holds sixteen of its lines.
class Bf16Matrix final : public FrozenMatrix {
 public:
  Bf16Matrix(size_t rows, size_t columns, const WeightReader& read, int threads, Product product)
      : FrozenMatrix(rows, columns),
        product_(product),
        forward_(round_up_lanes(rows) * even(columns)),
        backward_(round_up_lanes(columns) * even(rows)) {
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

  void forward(const FrozenProduct& p, int threads) const override {
    multiply(p, forward_.data(), rows_, columns_, threads);
  }
  void backward(const FrozenProduct& p, int threads) const override {
    multiply(p, backward_.data(), columns_, rows_, threads);
  }
  void copy_row(size_t row, float* out) const override {
    const uint16_t* panel = forward_.data() + row / kLanes * kLanes * even(columns_);
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
            forward_.data() + row / kLanes * kLanes * even(columns_) + row % kLanes * 2;
        uint16_t* back = backward_.data() + row / 2 * 2 * kLanes + row % 2;
        for (size_t k = 0; k < columns_; ++k) {
          const uint16_t value = to_bf16(values[r * columns_ + k]);
          panel[k / 2 * 2 * kLanes + k % 2] = value;
          back[k / kLanes * kLanes * even(rows_) + k % kLanes * 2] = value;
        }
      }
    });
  }

  void multiply(const FrozenProduct& p, const uint16_t* panels, size_t width, size_t depth,
                int threads) const {
    const size_t padded = even(depth);
    const uint16_t* x = rounded<uint16_t>(p, depth, threads, to_bf16);
    for_each_tile(p.m, width, threads, [&](const Tile& t) {
      for (size_t k = 0; k < padded; k += kDepthBlock) {
        Bf16Product b;
        b.a = x + t.row * padded + k;
        b.a_row = padded;
        b.b = panels + t.column * padded + k * kLanes;
        b.b_panel = padded * kLanes;
        b.k = std::min(kDepthBlock, padded - k);
        place_tile(p, t, b, k == 0);
        product_(b);
      }
      add_terms(p, t);
    });
  }

  Product product_;
  AlignedBuffer<uint16_t> forward_, backward_;
};

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

  void forward(const FrozenProduct& p, int threads) const override {
    inner_->forward(with_rounded(p, columns_, threads), threads);
  }
  void backward(const FrozenProduct& p, int threads) const override {
    inner_->backward(with_rounded(p, rows_, threads), threads);
  }
  void copy_row(size_t row, float* out) const override { inner_->copy_row(row, out); }

 private:
  static FrozenProduct with_rounded(FrozenProduct p, size_t depth, int threads) {
    p.x = rounded<float>(p, depth, threads, round_to_bf16);
    p.x_row = even(depth);
    return p;
  }

  std::unique_ptr<FrozenMatrix> inner_;
};

}  // namespace

std::unique_ptr<FrozenMatrix> make_bf16_matrix(NumericPath path, size_t rows, size_t columns,
                                               const WeightReader& read, int threads) {
  if (path == NumericPath::kBf16Emulated) {
    return std::make_unique<EmulatedMatrix>(rows, columns, read, threads);
  }
  return std::make_unique<Bf16Matrix>(rows, columns, read, threads, avx512_bf16_product());
}

}  // namespace ffe::lm
