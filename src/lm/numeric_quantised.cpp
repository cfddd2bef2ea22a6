// The quantised path: weights stay the integers and scales that the file holds; activations enter a
// product as 16-bit fixed point. Forward only.
#include <algorithm>

#include "base/error.hpp"
#include "lm/numeric_matrix.hpp"
#include "lm/parallel.hpp"
#include "lm/product_tasks.hpp"

namespace ffe::lm {
namespace {

std::optional<PackedFormat> packed_format(DType dtype) {
  switch (dtype) {
    case DType::kQ4_0:
      return PackedFormat::kQ4_0;
    case DType::kQ4_1:
      return PackedFormat::kQ4_1;
    case DType::kQ8_0:
      return PackedFormat::kQ8_0;
    default:
      return std::nullopt;
  }
}

// The panels' form is described in kernels_packed.hpp, the file's blocks in dtype.cpp.
struct Layout {
  explicit Layout(PackedFormat format)
      : nibbles(format != PackedFormat::kQ8_0),
        minima(format == PackedFormat::kQ4_1),
        parts(nibbles ? 4 : 2),
        scales(nibbles ? 256 : 512),
        bytes(scales + 2 * kLanes * (minima ? 2 : 1)) {}

  bool nibbles, minima;
  size_t parts;   // of a word
  size_t scales;  // where they begin
  size_t bytes;   // of a block of sixteen outputs

  // The byte of a block that holds weight k of output `lane`, and whether in its upper nibble.
  size_t byte_of(size_t lane, size_t k) const {
    const size_t in_vector = k % (2 * parts);
    const size_t word = in_vector % 2;
    const size_t part = in_vector / 2;
    return k / (2 * parts) * 64 + lane * 4 + word * 2 + (nibbles ? part / 2 : part);
  }
  bool upper(size_t k) const { return k % (2 * parts) / 2 % 2 == 1; }
};

// Activations in fixed point.
PreparedRows fixed_rows(const FrozenProduct& p, size_t blocks, int threads) {
  thread_local AlignedBuffer<int16_t> values;
  thread_local AlignedBuffer<float> scales;
  values.resize(p.m * blocks * kPackedBlock);
  scales.resize(2 * p.m * blocks);
  int16_t* to = values.data();
  float* scale = scales.data();
  float* sum = scale + p.m * blocks;
  parallel_rows(threads, p.m, [&](size_t i) {
    kernels().fixed_point(p.x + i * p.x_row, blocks, to + i * blocks * kPackedBlock,
                          scale + i * blocks, sum + i * blocks);
  });
  return {to, blocks * kPackedBlock, scale, sum};
}

class QuantisedMatrix final : public FrozenMatrix {
 public:
  QuantisedMatrix(PackedFormat format, size_t rows, size_t columns, const RawRows& raw, int threads)
      : FrozenMatrix(rows, columns),
        format_(format),
        layout_(format),
        blocks_(columns / kPackedBlock),
        panel_bytes_(blocks_ * layout_.bytes),
        panels_((rows + kLanes - 1) / kLanes * panel_bytes_) {
    parallel_for(threads, (rows + kLanes - 1) / kLanes, [&](size_t panel) {
      uint8_t* to = panels_.data() + panel * panel_bytes_;
      std::fill_n(to, panel_bytes_, uint8_t{0});
      const size_t first = panel * kLanes;
      for (size_t lane = 0; lane < std::min(kLanes, rows_ - first); ++lane) {
        pack_row(raw(first + lane).data(), lane, to);
      }
    });
  }

  PreparedRows prepare(const FrozenProduct& p, int threads) const override {
    return fixed_rows(p, blocks_, threads);
  }

  void forward_tile(const FrozenProduct& p, const PreparedRows& x, const Tile& t) const override {
    PackedProduct b;
    b.format = format_;
    b.w = panels_.data() + t.column / kLanes * panel_bytes_;
    b.w_panel = panel_bytes_;
    b.x = {static_cast<const int16_t*>(x.values) + t.row * x.row, x.scales + t.row * blocks_,
           x.sums + t.row * blocks_};
    b.blocks = blocks_;
    place_tile(p, t, b, true);
    kernels().packed_product(b);
    add_terms(p, t);
  }

  void backward(const FrozenProduct&, int) const override {
    throw Error(ErrorCode::kInternal, "the numeric path quantised has no backward product");
  }

  void copy_row(size_t row, float* out) const override {
    const size_t lane = row % kLanes;
    const uint8_t* from = panels_.data() + row / kLanes * panel_bytes_;
    for (size_t b = 0; b < blocks_; ++b, from += layout_.bytes, out += kPackedBlock) {
      const float d = half_to_float(get_le16(from + layout_.scales + 2 * lane));
      float minimum = format_ == PackedFormat::kQ4_0 ? -8 * d : 0;
      if (layout_.minima) {
        minimum = half_to_float(get_le16(from + layout_.scales + 2 * (kLanes + lane)));
      }
      for (size_t k = 0; k < kPackedBlock; ++k) {
        out[k] = d * static_cast<float>(integer(from, lane, k)) + minimum;
      }
    }
  }

 private:
  int integer(const uint8_t* block, size_t lane, size_t k) const {
    const uint8_t byte = block[layout_.byte_of(lane, k)];
    if (!layout_.nibbles) return static_cast<int8_t>(byte);
    return layout_.upper(k) ? byte >> 4 : byte & 15;
  }

  void pack_row(const uint8_t* from, size_t lane, uint8_t* to) const {
    for (size_t b = 0; b < blocks_; ++b, to += layout_.bytes) {
      std::memcpy(to + layout_.scales + 2 * lane, from, 2);
      from += 2;
      if (layout_.minima) {
        std::memcpy(to + layout_.scales + 2 * (kLanes + lane), from, 2);
        from += 2;
      }
      for (size_t k = 0; k < kPackedBlock; ++k) {
        uint8_t& byte = to[layout_.byte_of(lane, k)];
        if (!layout_.nibbles) {
          byte = from[k];
          continue;
        }
        const uint8_t nibble = k < 16 ? from[k] & 15 : from[k - 16] >> 4;
        byte = static_cast<uint8_t>(byte | (layout_.upper(k) ? nibble << 4 : nibble));
      }
      from += layout_.nibbles ? kPackedBlock / 2 : kPackedBlock;
    }
  }

  PackedFormat format_;
  Layout layout_;
  size_t blocks_;
  size_t panel_bytes_;
  AlignedBuffer<uint8_t, false> panels_;  // a base model is no secret
};

}  // namespace

bool can_stay_quantised(DType dtype) {
  return packed_format(dtype).has_value();
}

std::unique_ptr<FrozenMatrix> make_quantised_matrix(DType dtype, size_t rows, size_t columns,
                                                    const RawRows& raw, int threads) {
  return std::make_unique<QuantisedMatrix>(packed_format(dtype).value(), rows, columns, raw,
                                           threads);
}

}  // namespace ffe::lm
