// The tile registers of AMX, in memory: the subset of palette 1 that bf16 products need, as Intel's
// manual specifies it (SDM vol. 1 chapter 18; vol. 2: LDTILECFG, TILELOADD, TDPBF16PS, TILESTORED).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/error.hpp"
#include "lm/bf16.hpp"

namespace ffe::lm {

inline constexpr int kTiles = 8;
inline constexpr size_t kTileLines = 16;
inline constexpr size_t kTileLineBytes = 64;

// The operand of LDTILECFG.
struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t line_bytes[16] = {};
  uint8_t lines[16] = {};

  void shape(int tile, size_t rows, size_t bytes) {
    lines[tile] = static_cast<uint8_t>(rows);
    line_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};
static_assert(sizeof(TileConfig) == 64);

// Where the processor would raise an exception, this throws Error{kInternal}.
class EmulatedTiles {
 public:
  void configure(const TileConfig& config) {
    require(config.palette == 1 && config.start_row == 0, "palette");
    for (int t = 0; t < 16; ++t) {
      const bool none = config.lines[t] == 0 && config.line_bytes[t] == 0;
      const bool some = config.lines[t] > 0 && config.lines[t] <= kTileLines &&
                        config.line_bytes[t] > 0 && config.line_bytes[t] <= kTileLineBytes;
      require(none || (some && t < kTiles), "shape");
    }
    config_ = config;
    std::memset(data_, 0, sizeof(data_));
  }
  void release() { config_ = {}; }

  template <int kTile>
  void zero() {
    require(config_.lines[kTile] > 0, "zero");
    std::memset(data_[kTile], 0, sizeof(data_[kTile]));
  }
  template <int kTile>
  void load(const void* from, size_t stride) {
    zero<kTile>();
    for (size_t r = 0; r < config_.lines[kTile]; ++r) {
      std::memcpy(data_[kTile][r], static_cast<const uint8_t*>(from) + r * stride,
                  config_.line_bytes[kTile]);
    }
  }
  template <int kTile>
  void store(void* to, size_t stride) const {
    require(config_.lines[kTile] > 0, "store");
    for (size_t r = 0; r < config_.lines[kTile]; ++r) {
      std::memcpy(static_cast<uint8_t*>(to) + r * stride, data_[kTile][r],
                  config_.line_bytes[kTile]);
    }
  }
  template <int kC, int kA, int kB>
  void dot() {
    const size_t rows = config_.lines[kC];
    const size_t columns = config_.line_bytes[kC] / 4;
    const size_t pairs = config_.lines[kB];
    require(rows > 0 && rows == config_.lines[kA] && pairs * 4 == config_.line_bytes[kA] &&
                columns * 4 == config_.line_bytes[kB] && columns * 4 == config_.line_bytes[kC],
            "dot");
    for (size_t m = 0; m < rows; ++m) {
      for (size_t n = 0; n < columns; ++n) {
        float even = 0;
        float odd = 0;
        for (size_t k = 0; k < pairs; ++k) {
          even = fma(half(kA, m, 2 * k), half(kB, k, 2 * n), even);
          odd = fma(half(kA, m, 2 * k + 1), half(kB, k, 2 * n + 1), odd);
        }
        float c;
        std::memcpy(&c, data_[kC][m] + 4 * n, sizeof(c));
        c = flushed(flushed(c) + flushed(even + odd));
        std::memcpy(data_[kC][m] + 4 * n, &c, sizeof(c));
      }
    }
  }

 private:
  static constexpr float kSmallest = 0x1p-126f;

  static void require(bool sound, const char* what) {
    if (!sound) throw Error(ErrorCode::kInternal, std::string("AMX tiles: bad ") + what);
  }
  float half(int tile, size_t row, size_t index) const {
    uint16_t bits;
    std::memcpy(&bits, data_[tile][row] + 2 * index, sizeof(bits));
    return flushed(from_bf16(bits));
  }
  static float flushed(float x) { return std::abs(x) < kSmallest ? std::copysign(0.0f, x) : x; }
  static float fma(float a, float b, float c) {
    const float r = std::fma(a, b, c);
    if (!(std::abs(r) <= kSmallest) || r == 0) return r;  // a NaN too
    // What rounds to the smallest normal number only among denormals was below it and is flushed.
    const bool normal = std::abs(std::fma(a * 0x1p64f, b, c * 0x1p64f)) >= kSmallest * 0x1p64f;
    return normal ? r : std::copysign(0.0f, r);
  }

  TileConfig config_ = {};
  alignas(64) uint8_t data_[kTiles][kTileLines][kTileLineBytes] = {};
};

}  // namespace ffe::lm
