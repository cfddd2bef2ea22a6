// Hexadecimal and base64 text.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe {

// Lower case, without prefix.
std::string to_hex(ByteView bytes);
// Lower case with "0x", as Ethereum JSON-RPC writes it.
std::string to_hex0x(ByteView bytes);

// Accepts an optional "0x" and either case; throws Error{kBadInput} that names the offset.
Bytes from_hex(std::string_view text);

template <size_t N>
FixedBytes<N> fixed_from_hex(std::string_view text) {
  return FixedBytes<N>::from(from_hex(text));
}
inline H256 h256_from_hex(std::string_view text) {
  return fixed_from_hex<32>(text);
}
inline Address address_from_hex(std::string_view text) {
  return fixed_from_hex<20>(text);
}

// RFC 4648 base64 with padding; decoding is strict (no white space, canonical padding).
std::string to_base64(ByteView bytes);
Bytes from_base64(std::string_view text);

}  // namespace ffe
