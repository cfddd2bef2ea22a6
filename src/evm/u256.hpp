// 256-bit unsigned integers, as the EVM counts them, and amounts of ether.
#pragma once

#include <array>
#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::evm {

// Arithmetic is checked: a result below zero or above 2^256 - 1 throws Error{kBadInput}, because
// these numbers are money. Shifts drop bits, as usual.
class U256 {
 public:
  constexpr U256() = default;
  template <std::integral T>
  requires(!std::same_as<T, bool>) constexpr U256(T value)
      : limbs_{static_cast<uint64_t>(value), 0, 0, 0} {
    if constexpr (std::signed_integral<T>) {
      if (value < 0) negative();
    }
  }

  // Big-endian, at most 32 bytes. Throws Error{kBadInput} above that.
  static U256 from_be(ByteView bytes);
  static U256 from(const H256& word) { return from_be(word.bytes); }
  // "123" or "0x7b"; no sign, no white space, no separators. Throws Error{kBadInput}.
  static U256 parse(std::string_view text);
  // A JSON-RPC quantity: "0x0", "0x7b"; no leading zeros, at least one digit. Throws
  // Error{kBadInput}.
  static U256 parse_quantity(std::string_view text);
  static constexpr U256 max() {
    U256 all;
    all.limbs_.fill(~uint64_t{0});
    return all;
  }
  static constexpr U256 power_of_two(unsigned exponent) {
    U256 out;
    out.limbs_[exponent / 64 % 4] = uint64_t{1} << (exponent % 64);
    return out;
  }

  bool is_zero() const { return *this == U256(); }
  unsigned bit_length() const;
  bool bit(unsigned i) const { return i < 256 && (limbs_[i / 64] >> (i % 64) & 1) != 0; }
  bool fits_u64() const { return bit_length() <= 64; }
  // Throws Error{kBadInput} that says `what` if the number is larger than 64 bits.
  uint64_t to_u64(std::string_view what = "number") const;
  double to_double() const;
  H256 to_h256() const;
  std::string to_string() const;        // decimal
  std::string to_hex_quantity() const;  // "0x…" without leading zeros

  friend bool operator==(const U256&, const U256&) = default;
  friend std::strong_ordering operator<=>(const U256& a, const U256& b);

  friend U256 operator+(const U256& a, const U256& b);
  friend U256 operator-(const U256& a, const U256& b);
  friend U256 operator*(const U256& a, const U256& b);
  // Division by zero throws Error{kBadInput}.
  friend U256 operator/(const U256& a, const U256& b) { return divide(a, b).first; }
  friend U256 operator%(const U256& a, const U256& b) { return divide(a, b).second; }
  U256& operator+=(const U256& b) { return *this = *this + b; }
  U256& operator-=(const U256& b) { return *this = *this - b; }
  U256& operator*=(const U256& b) { return *this = *this * b; }
  U256& operator/=(const U256& b) { return *this = *this / b; }
  U256& operator%=(const U256& b) { return *this = *this % b; }

  friend U256 operator&(const U256& a, const U256& b);
  friend U256 operator|(const U256& a, const U256& b);
  friend U256 operator^(const U256& a, const U256& b);
  U256 operator~() const;
  U256 operator<<(unsigned bits) const;
  U256 operator>>(unsigned bits) const;

  // 2^256 - x (0 for 0): the two's complement of a negative number's magnitude.
  U256 twos_complement() const;

 private:
  static std::pair<U256, U256> divide(const U256& a, const U256& b);
  [[noreturn]] static void negative();

  std::array<uint64_t, 4> limbs_{};  // least significant first
};

// Decimal amounts: parse_units("1.5", 6) = 1500000. At most `decimals` digits after the point; no
// exponent, no sign. Throws Error{kBadInput} that quotes the text.
U256 parse_units(std::string_view text, unsigned decimals);
// Without superfluous zeros: "1.5", "0.000000000000000001", "2".
std::string format_units(const U256& amount, unsigned decimals);
U256 parse_ether(std::string_view text);
std::string format_ether(const U256& wei);

inline constexpr uint64_t kGwei = 1'000'000'000;

}  // namespace ffe::evm
