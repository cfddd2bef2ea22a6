// Byte containers shared by every room.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace ffe {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;

// A value of exactly N bytes; ordered and compared byte by byte.
template <size_t N>
struct FixedBytes {
  std::array<uint8_t, N> bytes{};

  static constexpr size_t kSize = N;

  // Throws Error{kBadInput} unless `view` has exactly N bytes.
  static FixedBytes from(ByteView view) {
    if (view.size() != N) {
      throw Error(ErrorCode::kBadInput,
                  "expected " + std::to_string(N) + " bytes, got " + std::to_string(view.size()));
    }
    FixedBytes out;
    std::copy(view.begin(), view.end(), out.bytes.begin());
    return out;
  }

  constexpr uint8_t* data() { return bytes.data(); }
  constexpr const uint8_t* data() const { return bytes.data(); }
  constexpr size_t size() const { return N; }
  constexpr uint8_t& operator[](size_t i) { return bytes[i]; }
  constexpr const uint8_t& operator[](size_t i) const { return bytes[i]; }
  constexpr auto begin() { return bytes.begin(); }
  constexpr auto end() { return bytes.end(); }
  constexpr auto begin() const { return bytes.begin(); }
  constexpr auto end() const { return bytes.end(); }
  bool is_zero() const {
    return std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; });
  }
  auto operator<=>(const FixedBytes&) const = default;
};

using H256 = FixedBytes<32>;
using Address = FixedBytes<20>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void append(Bytes& out, ByteView more) {
  out.insert(out.end(), more.begin(), more.end());
}

inline Bytes concat(std::initializer_list<ByteView> parts) {
  Bytes out;
  size_t total = 0;
  for (ByteView part : parts) total += part.size();
  out.reserve(total);
  for (ByteView part : parts) append(out, part);
  return out;
}

// Fixed-width integers, big- and little-endian. The caller guarantees the room at `p`.
inline void put_be32(uint8_t* p, uint32_t v) {
  for (int i = 3; i >= 0; --i, v >>= 8) p[i] = static_cast<uint8_t>(v);
}
inline void put_be64(uint8_t* p, uint64_t v) {
  for (int i = 7; i >= 0; --i, v >>= 8) p[i] = static_cast<uint8_t>(v);
}
inline uint32_t get_be32(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}
inline uint64_t get_be64(const uint8_t* p) {
  return uint64_t{get_be32(p)} << 32 | get_be32(p + 4);
}
inline void put_le64(uint8_t* p, uint64_t v) {
  for (int i = 0; i < 8; ++i, v >>= 8) p[i] = static_cast<uint8_t>(v);
}
inline uint16_t get_le16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] | uint16_t{p[1]} << 8);
}
inline uint32_t get_le32(const uint8_t* p) {
  return p[0] | uint32_t{p[1]} << 8 | uint32_t{p[2]} << 16 | uint32_t{p[3]} << 24;
}
inline uint64_t get_le64(const uint8_t* p) {
  return get_le32(p) | uint64_t{get_le32(p + 4)} << 32;
}

}  // namespace ffe
