#include "crypto/address.hpp"

#include "base/hex.hpp"
#include "crypto/keccak.hpp"

namespace ffe::crypto {
namespace {

bool has_any(std::string_view text, char from, char to) {
  return std::any_of(text.begin(), text.end(), [=](char c) { return c >= from && c <= to; });
}

}  // namespace

std::string checksum_address(const Address& address) {
  std::string digits = to_hex(address);
  H256 hash = keccak256(digits);
  for (size_t i = 0; i < digits.size(); ++i) {
    int nibble = hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
    if (digits[i] >= 'a' && nibble >= 8) digits[i] = static_cast<char>(digits[i] - 'a' + 'A');
  }
  return "0x" + digits;
}

Address parse_address(std::string_view text) {
  if (text.size() != 42 || !text.starts_with("0x")) {
    throw Error(ErrorCode::kBadInput, "an address is 0x and 40 hex digits");
  }
  Address address = address_from_hex(text);
  std::string_view digits = text.substr(2);
  bool mixed = has_any(digits, 'a', 'f') && has_any(digits, 'A', 'F');
  if (mixed && checksum_address(address) != text) {
    throw Error(ErrorCode::kBadInput, "the checksum of address " + std::string(text) + " is wrong",
                "check it for a typing error, or write it in lower case");
  }
  return address;
}

}  // namespace ffe::crypto
