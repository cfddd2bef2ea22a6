// The scanner behind parse_type, parse_function and their kin; internal to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "evm/abi.hpp"

namespace ffe::evm {

class SignatureParser {
 public:
  explicit SignatureParser(std::string_view text) : text_(text) {}

  // The next identifier without taking it; "" where there is none.
  std::string_view peek_word();
  // Takes `word` if it comes next.
  bool take_word(std::string_view word);
  std::string identifier(std::string_view what);
  bool take(char c);
  void expect(char c);
  bool at_end();
  void expect_end();

  Type type(int depth = 0);
  // "(type [indexed] [location] [name], …)"
  std::vector<Param> params(bool indexed_allowed, int depth = 0);

  // "[]" or "[3]" if it comes next: nullopt within for a dynamic one.
  std::optional<std::optional<size_t>> array_suffix();

  [[noreturn]] void fail(const std::string& why) const;

 private:
  void skip_space();
  Type array_suffixes(Type element, int depth);

  std::string_view text_;
  size_t at_ = 0;
};

// "uint64", "bytes32", "address", … ; nullopt if `word` is no elementary type.
std::optional<Type> elementary_type(std::string_view word);

}  // namespace ffe::evm
