// Recursive length prefix (Ethereum yellow paper, appendix B).
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"

namespace ffe::evm {

// A byte string or a list of items.
struct RlpItem {
  bool is_list = false;
  Bytes bytes;
  std::vector<RlpItem> items;

  RlpItem() = default;
  RlpItem(Bytes content) : bytes(std::move(content)) {}
  RlpItem(std::vector<RlpItem> list) : is_list(true), items(std::move(list)) {}
  // The minimal big-endian form; zero is the empty string.
  static RlpItem of(const U256& number);
  static RlpItem of(ByteView content) { return RlpItem(Bytes(content.begin(), content.end())); }

  // The number in `bytes`. Throws Error{kBadInput} for lists, leading zeros or more than 32 bytes.
  U256 to_u256(std::string_view what) const;

  bool operator==(const RlpItem&) const = default;
};

Bytes rlp_encode(const RlpItem& item);

// Strict: canonical lengths only, nothing after the item, at most 64 levels. Throws
// Error{kBadInput} that names the offset. The limit stands because a byte of data can become an
// item of a hundred bytes.
RlpItem rlp_decode(ByteView data, size_t max_bytes = size_t{1} << 20);

}  // namespace ffe::evm
