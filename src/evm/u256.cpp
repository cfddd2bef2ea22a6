#include "evm/u256.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/hex.hpp"

namespace ffe::evm {
namespace {

__extension__ using Wide = unsigned __int128;

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

[[noreturn]] void overflow() {
  bad("number above 2^256 - 1");
}

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 80;
  return "\"" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "…\"" : "\"");
}

U256 parse_decimal(std::string_view digits, std::string_view whole) {
  if (digits.empty()) bad("not a number: " + quoted(whole));
  U256 out;
  for (char c : digits) {
    if (c < '0' || c > '9') bad("not a number: " + quoted(whole));
    out = out * 10 + (c - '0');
  }
  return out;
}

U256 parse_hex(std::string_view digits, std::string_view whole) {
  if (digits.empty()) bad("not a number: " + quoted(whole));
  size_t zeros = std::min(digits.find_first_not_of('0'), digits.size());
  digits.remove_prefix(zeros);
  if (digits.size() > 64) overflow();
  try {
    return U256::from_be(
        from_hex(digits.size() % 2 == 0 ? std::string(digits) : "0" + std::string(digits)));
  } catch (const Error&) {
    bad("not a number: " + quoted(whole));
  }
}

U256 power_of_ten(unsigned exponent) {
  U256 out = 1;
  for (unsigned i = 0; i < exponent; ++i) out *= 10;
  return out;
}

}  // namespace

void U256::negative() {
  bad("a negative number where none may be");
}

U256 U256::from_be(ByteView bytes) {
  if (bytes.size() > 32) bad("number of " + std::to_string(bytes.size()) + " bytes, at most 32");
  std::array<uint8_t, 32> word{};
  std::copy(bytes.begin(), bytes.end(), word.end() - static_cast<ptrdiff_t>(bytes.size()));
  U256 out;
  for (size_t i = 0; i < 4; ++i) out.limbs_[i] = get_be64(word.data() + 24 - 8 * i);
  return out;
}

U256 U256::parse(std::string_view text) {
  if (text.starts_with("0x")) return parse_hex(text.substr(2), text);
  return parse_decimal(text, text);
}

U256 U256::parse_quantity(std::string_view text) {
  if (!text.starts_with("0x") || text.size() < 3 || (text[2] == '0' && text.size() > 3)) {
    bad("not a hex quantity: " + quoted(text));
  }
  return parse_hex(text.substr(2), text);
}

unsigned U256::bit_length() const {
  for (unsigned i = 4; i-- > 0;) {
    if (limbs_[i] != 0) return 64 * i + static_cast<unsigned>(std::bit_width(limbs_[i]));
  }
  return 0;
}

uint64_t U256::to_u64(std::string_view what) const {
  if (!fits_u64()) bad(std::string(what) + " is larger than 64 bits: " + to_string());
  return limbs_[0];
}

double U256::to_double() const {
  double out = 0;
  for (size_t i = 4; i-- > 0;) out = std::ldexp(out, 64) + static_cast<double>(limbs_[i]);
  return out;
}

H256 U256::to_h256() const {
  H256 out;
  for (size_t i = 0; i < 4; ++i) put_be64(out.data() + 24 - 8 * i, limbs_[i]);
  return out;
}

std::string U256::to_string() const {
  constexpr uint64_t kChunk = 10'000'000'000'000'000'000u;  // 10^19
  std::string out;
  U256 rest = *this;
  do {
    Wide remainder = 0;
    for (size_t i = 4; i-- > 0;) {
      Wide part = remainder << 64 | rest.limbs_[i];
      rest.limbs_[i] = static_cast<uint64_t>(part / kChunk);
      remainder = part % kChunk;
    }
    std::string digits = std::to_string(static_cast<uint64_t>(remainder));
    if (!rest.is_zero()) digits.insert(0, 19 - digits.size(), '0');
    out.insert(0, digits);
  } while (!rest.is_zero());
  return out;
}

std::string U256::to_hex_quantity() const {
  std::string digits = to_hex(to_h256());
  size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  return "0x" + digits.substr(first);
}

std::strong_ordering operator<=>(const U256& a, const U256& b) {
  for (size_t i = 4; i-- > 0;) {
    if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] <=> b.limbs_[i];
  }
  return std::strong_ordering::equal;
}

U256 operator+(const U256& a, const U256& b) {
  U256 out;
  Wide carry = 0;
  for (size_t i = 0; i < 4; ++i) {
    carry += static_cast<Wide>(a.limbs_[i]) + b.limbs_[i];
    out.limbs_[i] = static_cast<uint64_t>(carry);
    carry >>= 64;
  }
  if (carry != 0) overflow();
  return out;
}

U256 operator-(const U256& a, const U256& b) {
  if (a < b) bad("number below 0: " + a.to_string() + " - " + b.to_string());
  U256 out;
  uint64_t borrow = 0;
  for (size_t i = 0; i < 4; ++i) {
    Wide difference = static_cast<Wide>(a.limbs_[i]) - b.limbs_[i] - borrow;
    out.limbs_[i] = static_cast<uint64_t>(difference);
    borrow = static_cast<uint64_t>(difference >> 64) & 1;
  }
  return out;
}

U256 operator*(const U256& a, const U256& b) {
  std::array<uint64_t, 8> product{};
  for (size_t i = 0; i < 4; ++i) {
    Wide carry = 0;
    for (size_t j = 0; j < 4; ++j) {
      carry += static_cast<Wide>(a.limbs_[i]) * b.limbs_[j] + product[i + j];
      product[i + j] = static_cast<uint64_t>(carry);
      carry >>= 64;
    }
    product[i + 4] = static_cast<uint64_t>(carry);
  }
  if (std::any_of(product.begin() + 4, product.end(), [](uint64_t v) { return v != 0; })) {
    overflow();
  }
  U256 out;
  std::copy_n(product.begin(), 4, out.limbs_.begin());
  return out;
}

std::pair<U256, U256> U256::divide(const U256& a, const U256& b) {
  if (b.is_zero()) bad("division by zero");
  U256 quotient;
  U256 rest = a;
  if (a < b) return {quotient, rest};
  for (unsigned shift = a.bit_length() - b.bit_length() + 1; shift-- > 0;) {
    U256 part = b << shift;
    if (part > rest) continue;
    rest = rest - part;
    quotient.limbs_[shift / 64] |= uint64_t{1} << (shift % 64);
  }
  return {quotient, rest};
}

U256 operator&(const U256& a, const U256& b) {
  U256 out;
  for (size_t i = 0; i < 4; ++i) out.limbs_[i] = a.limbs_[i] & b.limbs_[i];
  return out;
}

U256 operator|(const U256& a, const U256& b) {
  U256 out;
  for (size_t i = 0; i < 4; ++i) out.limbs_[i] = a.limbs_[i] | b.limbs_[i];
  return out;
}

U256 operator^(const U256& a, const U256& b) {
  U256 out;
  for (size_t i = 0; i < 4; ++i) out.limbs_[i] = a.limbs_[i] ^ b.limbs_[i];
  return out;
}

U256 U256::operator~() const {
  return *this ^ max();
}

U256 U256::operator<<(unsigned bits) const {
  U256 out;
  if (bits >= 256) return out;
  size_t limbs = bits / 64;
  unsigned rest = bits % 64;
  for (size_t i = limbs; i < 4; ++i) {
    out.limbs_[i] = limbs_[i - limbs] << rest;
    if (rest != 0 && i > limbs) out.limbs_[i] |= limbs_[i - limbs - 1] >> (64 - rest);
  }
  return out;
}

U256 U256::operator>>(unsigned bits) const {
  U256 out;
  if (bits >= 256) return out;
  size_t limbs = bits / 64;
  unsigned rest = bits % 64;
  for (size_t i = 0; i + limbs < 4; ++i) {
    out.limbs_[i] = limbs_[i + limbs] >> rest;
    if (rest != 0 && i + limbs + 1 < 4) out.limbs_[i] |= limbs_[i + limbs + 1] << (64 - rest);
  }
  return out;
}

U256 U256::twos_complement() const {
  return is_zero() ? U256() : ~*this + 1;
}

U256 parse_units(std::string_view text, unsigned decimals) {
  size_t point = text.find('.');
  std::string_view whole = text.substr(0, point);
  std::string_view part = point == std::string_view::npos ? "" : text.substr(point + 1);
  if (point != std::string_view::npos && part.empty()) bad("not an amount: " + quoted(text));
  if (part.size() > decimals) {
    bad("more than " + std::to_string(decimals) + " digits after the point: " + quoted(text));
  }
  U256 out = parse_decimal(whole, text) * power_of_ten(decimals);
  if (part.empty()) return out;
  return out +
         parse_decimal(part, text) * power_of_ten(decimals - static_cast<unsigned>(part.size()));
}

std::string format_units(const U256& amount, unsigned decimals) {
  std::string digits = amount.to_string();
  if (decimals == 0) return digits;
  if (digits.size() <= decimals) digits.insert(0, decimals + 1 - digits.size(), '0');
  std::string part = digits.substr(digits.size() - decimals);
  digits.resize(digits.size() - decimals);
  part.resize(part.find_last_not_of('0') + 1);
  return part.empty() ? digits : digits + "." + part;
}

U256 parse_ether(std::string_view text) {
  return parse_units(text, 18);
}
std::string format_ether(const U256& wei) {
  return format_units(wei, 18);
}

}  // namespace ffe::evm
