// Ethereum addresses as text: EIP-55.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::crypto {

// "0x" and 40 digits in EIP-55 mixed case.
std::string checksum_address(const Address& address);

// Reads "0x" and 40 hex digits. All-lower and all-upper case carry no checksum; mixed case must
// match EIP-55. Throws Error{kBadInput} that says which rule was broken.
Address parse_address(std::string_view text);

}  // namespace ffe::crypto
