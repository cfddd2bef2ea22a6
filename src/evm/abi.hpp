// The contract ABI's types and values at run time, and their encoding (Solidity ABI specification).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"

namespace ffe::evm {

struct Param;

// uintN, intN, address, bool, bytesN, bytes, string, T[k], T[] and tuples.
struct Type {
  enum class Kind { kUint, kInt, kAddress, kBool, kFixedBytes, kBytes, kString, kArray, kTuple };

  Kind kind = Kind::kUint;
  unsigned size = 256;           // bits of kUint and kInt, bytes of kFixedBytes
  std::optional<size_t> length;  // of a fixed kArray; a dynamic one has none
  std::vector<Type> items;       // kArray: the element; kTuple: the members
  // kTuple: the members' names ("" where there is none), shared with decoded values.
  std::shared_ptr<const std::vector<std::string>> names;

  static Type tuple(const std::vector<Param>& params);

  bool is_dynamic() const;
  // Bytes in the head: 32 for dynamic types.
  size_t head_size() const;
  // As it enters selectors: "(uint64,address[],bytes)".
  std::string canonical() const;

  bool operator==(const Type& other) const;  // names do not count
};

struct Param {
  Type type;
  std::string name;
  bool indexed = false;  // of an event

  bool operator==(const Param&) const = default;
};

// "(uint64 id, address[] who)", "tuple(bytes32,bool)[2]", "uint" (= uint256). Names of tuple
// members are kept. At most 16 levels; a static part of at most 16 MiB; no empty tuples and no
// arrays of length 0. Throws Error{kBadInput} that names the offset.
Type parse_type(std::string_view text);
std::vector<Type> parse_types(std::string_view comma_separated);

class Value;
using Values = std::vector<Value>;

// A value of any type. Whether it fits a Type is decided when it is encoded.
class Value {
 public:
  Value() : data_(Values{}) {}
  Value(const U256& number) : data_(Number{number, false}) {}
  // A negative number is kept in two's complement and fits intN only.
  template <std::integral T>
  requires(!std::same_as<T, bool>) Value(T number) : data_(number_of(number)) {}
  template <std::same_as<bool> B>
  Value(B flag) : data_(flag) {}
  Value(const Address& address) : data_(address) {}
  template <size_t N>
  Value(const FixedBytes<N>& bytes) : data_(Bytes(bytes.begin(), bytes.end())) {}
  Value(Bytes bytes) : data_(std::move(bytes)) {}
  Value(ByteView bytes) : data_(Bytes(bytes.begin(), bytes.end())) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  // An array or a tuple. Where it is the only item of a braced list, write list({…}) below.
  Value(Values items) : data_(std::move(items)) {}
  template <class T>
  requires(!std::same_as<T, uint8_t> && !std::same_as<T, Value> &&
           std::convertible_to<const T&, Value>) Value(const std::vector<T>& items)
      : data_(Values(items.begin(), items.end())) {}

  // Access; Error{kBadInput} if the value is of another kind or does not fit.
  const U256& as_u256() const;  // of uintN; of intN if it is not negative
  uint64_t as_u64() const;
  int64_t as_i64() const;
  bool as_bool() const;
  const Address& as_address() const;
  ByteView as_bytes() const;  // bytes and bytesN
  template <size_t N>
  FixedBytes<N> as_fixed() const {
    return FixedBytes<N>::from(as_bytes());
  }
  H256 as_h256() const { return as_fixed<32>(); }
  // Of string; contracts may put any bytes in one, so UTF-8 is not guaranteed.
  const std::string& as_string() const;
  const Values& items() const;
  size_t size() const { return items().size(); }
  const Value& at(size_t index) const;           // throws when out of range
  const Value& at(std::string_view name) const;  // of a tuple with names; throws when absent
  template <std::integral T>
  const Value& operator[](T index) const {
    return at(static_cast<size_t>(index));
  }
  const Value& operator[](std::string_view name) const { return at(name); }
  const Value& operator[](const char* name) const { return at(std::string_view(name)); }

  // For people: numbers in decimal, bytes in hex, addresses with checksum, text in quotes,
  // "(id=7, who=[0x…])". Long bytes and texts are cut.
  std::string to_string() const;

  // Numbers: the 256-bit word and whether it stands for a negative number.
  struct Number {
    U256 word;
    bool negative = false;
    bool operator==(const Number&) const = default;
  };
  using Data = std::variant<Number, bool, Address, Bytes, std::string, Values>;
  const Data& data() const { return data_; }

  // Used by the decoder: names for the members of a tuple; a number of type intN.
  static Value named(Values items, std::shared_ptr<const std::vector<std::string>> names);
  static Value signed_word(const U256& word);

  bool operator==(const Value& other) const { return data_ == other.data_; }

 private:
  static Number negative(int64_t number);
  template <std::integral T>
  static Number number_of(T number) {
    if constexpr (std::signed_integral<T>) {
      if (number < 0) return negative(number);
    }
    return {U256(number), false};
  }

  Data data_;
  std::shared_ptr<const std::vector<std::string>> names_;
};

// An array or a tuple as one value. f({list({1, 2})}) passes one array; f({Values{1, 2}}) passes
// two numbers with some compilers and one array with others.
inline Value list(Values items) {
  return Value(std::move(items));
}

// Throws Error{kBadInput} that names the path ("[1].gate: …") where a value does not fit its type.
Bytes abi_encode(const std::vector<Type>& types, const Values& values);

enum class Trailing { kRefuse, kAllow };

// Strict: every read within bounds, no byte read twice (so memory stays within the size of the
// data), padding of every type zero (sign-extended for intN), bool 0 or 1, lengths checked before
// anything is allocated. kAllow takes bytes after the last value, for results of contracts that
// gained outputs. Throws Error{kBadInput} that names the path and the offset.
Values abi_decode(const std::vector<Type>& types, ByteView data, Trailing = Trailing::kRefuse);

// The same for an argument list whose names are known: `tuple` holds the parameters; errors and the
// decoded tuple name them.
Bytes abi_encode_members(const Type& tuple, const Values& values);
Value abi_decode_members(const Type& tuple, ByteView data, Trailing = Trailing::kRefuse);

// Solidity's abi.encodePacked for values whose types need no choice of padding: uintN, intN,
// address, bool, bytesN, bytes, string; arrays and tuples are refused.
Bytes abi_encode_packed(const std::vector<Type>& types, const Values& values);

}  // namespace ffe::evm
