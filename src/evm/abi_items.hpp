// Functions, events and errors of contracts, from human-readable signatures.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evm/abi.hpp"

namespace ffe::evm {

using Selector = FixedBytes<4>;

struct Function {
  std::string name;
  std::vector<Param> inputs;
  std::vector<Param> outputs;
  std::string mutability = "nonpayable";  // "pure", "view", "nonpayable", "payable"

  std::string signature() const;  // "f(uint256,(bytes32,uint64)[])"
  Selector selector() const;
  Bytes encode_call(const Values& arguments) const;
  // The arguments of calldata that begins with this selector, as a tuple with names.
  Value decode_call(ByteView calldata) const;
  // The results as a tuple with names: decode_result(data)["terms"] or [0].
  Value decode_result(ByteView data) const;
};

struct ErrorDef {
  std::string name;
  std::vector<Param> inputs;

  std::string signature() const;
  Selector selector() const;
  Bytes encode(const Values& arguments) const;
  Value decode(ByteView revert_data) const;
};

struct Event {
  std::string name;
  std::vector<Param> inputs;
  bool anonymous = false;

  std::string signature() const;
  H256 topic() const;
  // Topics of a filter: the event's own, then one per indexed parameter that is given (nullopt and
  // missing ones at the end match anything). Dynamic values enter as their hash.
  std::vector<std::vector<H256>> filter(
      const std::vector<std::optional<Value>>& indexed = {}) const;
  bool matches(const std::vector<H256>& topics) const;
  // All parameters in order as a tuple with names; indexed ones of dynamic type are only known by
  // their hash and appear as those 32 bytes. Throws Error{kBadInput} if the log is not this event.
  Value decode(const std::vector<H256>& topics, ByteView data) const;
};

// "function f(uint256 id, (bytes32 a, uint64 b)[] xs) payable returns (bool)"; the keyword may be
// missing; data locations and visibilities are accepted and ignored. Throw Error{kBadInput} that
// names the offset.
Function parse_function(std::string_view text);
Event parse_event(std::string_view text);     // "event E(address indexed who, bytes32 x)"
ErrorDef parse_error(std::string_view text);  // "error X(uint256)"

}  // namespace ffe::evm
