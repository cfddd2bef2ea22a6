#include <algorithm>

#include "evm/abi.hpp"

namespace ffe::evm {
namespace {

constexpr size_t kWord = 32;
using Kind = Type::Kind;

// Where in the values an error lies: a chain of positions that costs nothing until it is shown.
struct Path {
  const Path* parent = nullptr;
  size_t index = 0;
  const Type* tuple = nullptr;  // the tuple that `index` counts in, if its members have names

  std::string text() const {
    std::string own;
    bool named = tuple != nullptr && tuple->names && index < tuple->names->size() &&
                 !(*tuple->names)[index].empty();
    own = named ? "." + (*tuple->names)[index] : "[" + std::to_string(index) + "]";
    return (parent != nullptr ? parent->text() : "value ") + own;
  }
};

[[noreturn]] void bad(const Path& path, const Type& type, const std::string& why) {
  throw Error(ErrorCode::kBadInput, "ABI: " + path.text() + " (" + type.canonical() + "): " + why);
}

size_t padded(size_t length) {
  return (length + kWord - 1) / kWord * kWord;
}

bool fits_unsigned(const U256& word, unsigned bits) {
  return word.bit_length() <= bits;
}

bool fits_signed(const Value::Number& number, unsigned bits) {
  const U256 magnitude = number.negative ? ~number.word : number.word;
  return magnitude.bit_length() < bits;
}

// ---- encoding

const Values& list_of(const Type& type, const Value& value, const Path& path) {
  const Values* items = std::get_if<Values>(&value.data());
  if (items == nullptr) bad(path, type, "a list is needed, got " + value.to_string());
  size_t wanted =
      type.kind == Kind::kTuple ? type.items.size() : type.length.value_or(items->size());
  if (items->size() != wanted) {
    bad(path, type,
        std::to_string(wanted) + " items are needed, got " + std::to_string(items->size()));
  }
  return *items;
}

U256 number_word(const Type& type, const Value& value, const Path& path) {
  const Value::Number* number = std::get_if<Value::Number>(&value.data());
  if (number == nullptr) bad(path, type, "a number is needed, got " + value.to_string());
  bool fits = type.kind == Kind::kInt ? fits_signed(*number, type.size)
                                      : !number->negative && fits_unsigned(number->word, type.size);
  if (!fits) bad(path, type, "out of range: " + value.to_string());
  return number->word;
}

Address address_of(const Type& type, const Value& value, const Path& path) {
  if (const Address* address = std::get_if<Address>(&value.data())) return *address;
  bad(path, type, "an address is needed, got " + value.to_string());
}

bool bool_of(const Type& type, const Value& value, const Path& path) {
  if (const bool* flag = std::get_if<bool>(&value.data())) return *flag;
  bad(path, type, "a bool is needed, got " + value.to_string());
}

// Of bytes, bytesN and string.
ByteView bytes_of(const Type& type, const Value& value, const Path& path) {
  if (type.kind == Kind::kString) {
    if (const std::string* text = std::get_if<std::string>(&value.data())) return as_bytes(*text);
    bad(path, type, "text is needed, got " + value.to_string());
  }
  ByteView view;
  if (const Bytes* bytes = std::get_if<Bytes>(&value.data())) {
    view = *bytes;
  } else if (const Address* address = std::get_if<Address>(&value.data())) {
    view = address->bytes;  // 20 bytes are an Address in C++, whatever the ABI calls them
  } else {
    bad(path, type, "bytes are needed, got " + value.to_string());
  }
  if (type.kind == Kind::kFixedBytes && view.size() != type.size) {
    bad(path, type, "got " + std::to_string(view.size()) + " bytes");
  }
  return view;
}

void put_padded(Bytes& out, ByteView bytes) {
  append(out, bytes);
  out.resize(out.size() + padded(bytes.size()) - bytes.size());
}

void put_number(Bytes& out, const U256& number) {
  append(out, number.to_h256().bytes);
}

void encode(const Type& type, const Value& value, const Path& path, Bytes& out);

// Heads, then tails: the members of a tuple or the elements of an array. `member(i)` is their type.
template <class TypeAt>
void encode_sequence(const Values& values, TypeAt type_at, const Path* parent, const Type* tuple,
                     Bytes& out) {
  const size_t base = out.size();
  size_t head = 0;
  bool dynamic = false;
  for (size_t i = 0; i < values.size(); ++i) {
    head += type_at(i).head_size();
    dynamic = dynamic || type_at(i).is_dynamic();
  }
  if (!dynamic) {
    for (size_t i = 0; i < values.size(); ++i)
      encode(type_at(i), values[i], {parent, i, tuple}, out);
    return;
  }
  Bytes tails;
  for (size_t i = 0; i < values.size(); ++i) {
    Path path{parent, i, tuple};
    if (type_at(i).is_dynamic()) {
      put_number(out, head + tails.size());
      encode(type_at(i), values[i], path, tails);
    } else {
      encode(type_at(i), values[i], path, out);
    }
  }
  if (out.size() - base != head) {
    throw Error(ErrorCode::kInternal, "ABI head of unexpected size");
  }
  append(out, tails);
}

void encode(const Type& type, const Value& value, const Path& path, Bytes& out) {
  switch (type.kind) {
    case Kind::kUint:
    case Kind::kInt:
      put_number(out, number_word(type, value, path));
      return;
    case Kind::kBool:
      put_number(out, bool_of(type, value, path) ? 1 : 0);
      return;
    case Kind::kAddress:
      put_number(out, U256::from_be(address_of(type, value, path).bytes));
      return;
    case Kind::kFixedBytes:
      put_padded(out, bytes_of(type, value, path));
      return;
    case Kind::kBytes:
    case Kind::kString: {
      ByteView bytes = bytes_of(type, value, path);
      put_number(out, bytes.size());
      put_padded(out, bytes);
      return;
    }
    case Kind::kArray: {
      const Values& items = list_of(type, value, path);
      if (!type.length) put_number(out, items.size());
      encode_sequence(
          items, [&](size_t) -> const Type& { return type.items[0]; }, &path, nullptr, out);
      return;
    }
    case Kind::kTuple:
      encode_sequence(
          list_of(type, value, path), [&](size_t i) -> const Type& { return type.items[i]; }, &path,
          &type, out);
      return;
  }
}

Type unnamed_tuple(const std::vector<Type>& types) {
  Type tuple;
  tuple.kind = Kind::kTuple;
  tuple.items = types;
  return tuple;
}

// ---- decoding

class Decoder {
 public:
  explicit Decoder(ByteView data) : data_(data) {}

  // The values whose heads begin at `base`, which offsets count from.
  template <class TypeAt>
  Values sequence(size_t count, TypeAt type_at, size_t base, const Path* parent,
                  const Type* tuple) {
    Values out;
    size_t at = base;
    for (size_t i = 0; i < count; ++i) {
      const Type& type = type_at(i);
      Path path{parent, i, tuple};
      size_t place = at;
      if (type.is_dynamic()) {
        U256 offset = word(at, type, path);
        if (offset > U256(data_.size() - base)) {
          bad(path, type, "offset beyond the end " + place_text(at));
        }
        place = base + offset.to_u64();
      }
      out.push_back(value(type, place, path));
      at += type.head_size();
    }
    return out;
  }

  bool all_read() const { return read_ == data_.size(); }
  size_t unread() const { return data_.size() - read_; }

 private:
  static std::string place_text(size_t at) { return "at byte " + std::to_string(at); }

  // Every byte may be read once: references to shared data could otherwise blow a small input up
  // into exponentially many values.
  ByteView take(size_t at, size_t length, const Type& type, const Path& path) {
    if (at > data_.size() || length > data_.size() - at) {
      bad(path, type, "ends early " + place_text(at));
    }
    if (length > data_.size() - read_) {
      bad(path, type, "overlaps other values " + place_text(at));
    }
    read_ += length;
    return data_.subspan(at, length);
  }

  U256 word(size_t at, const Type& type, const Path& path) {
    return U256::from_be(take(at, kWord, type, path));
  }

  Value value(const Type& type, size_t at, const Path& path) {
    switch (type.kind) {
      case Kind::kUint: {
        U256 number = word(at, type, path);
        if (!fits_unsigned(number, type.size)) bad(path, type, "out of range " + place_text(at));
        return number;
      }
      case Kind::kInt: {
        U256 number = word(at, type, path);
        if (!fits_signed({number, number.bit(255)}, type.size)) {
          bad(path, type, "out of range " + place_text(at));
        }
        return Value::signed_word(number);
      }
      case Kind::kBool: {
        U256 number = word(at, type, path);
        if (number > U256(1)) bad(path, type, "neither 0 nor 1 " + place_text(at));
        return number == U256(1);
      }
      case Kind::kAddress: {
        ByteView bytes = take(at, kWord, type, path);
        check_zero(bytes.first(12), type, at, path);
        return Address::from(bytes.subspan(12));
      }
      case Kind::kFixedBytes: {
        ByteView bytes = take(at, kWord, type, path);
        check_zero(bytes.subspan(type.size), type, at, path);
        return bytes.first(type.size);
      }
      case Kind::kBytes:
        return dynamic_bytes(type, at, path);
      case Kind::kString:
        return as_text(dynamic_bytes(type, at, path));
      case Kind::kArray:
        return array(type, at, path);
      case Kind::kTuple:
        break;
    }
    return Value::named(
        sequence(
            type.items.size(), [&](size_t i) -> const Type& { return type.items[i]; }, at, &path,
            &type),
        type.names);
  }

  ByteView dynamic_bytes(const Type& type, size_t at, const Path& path) {
    U256 length = word(at, type, path);
    at += kWord;
    if (length > U256(data_.size() - at)) bad(path, type, "longer than the data " + place_text(at));
    size_t size = length.to_u64();
    ByteView bytes = take(at, padded(size), type, path);
    check_zero(bytes.subspan(size), type, at, path);
    return bytes.first(size);
  }

  Value array(const Type& type, size_t at, const Path& path) {
    const Type& element = type.items[0];
    size_t count = type.length.value_or(0);
    if (!type.length) {
      U256 length = word(at, type, path);
      at += kWord;
      if (length > U256((data_.size() - at) / element.head_size())) {
        bad(path, type, "more items than the data hold " + place_text(at));
      }
      count = length.to_u64();
    }
    return sequence(
        count, [&](size_t) -> const Type& { return element; }, at, &path, nullptr);
  }

  static void check_zero(ByteView bytes, const Type& type, size_t at, const Path& path) {
    if (std::any_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b != 0; })) {
      bad(path, type, "padding is not zero " + place_text(at));
    }
  }

  ByteView data_;
  size_t read_ = 0;
};

}  // namespace

Bytes abi_encode_members(const Type& tuple, const Values& values) {
  if (tuple.items.size() != values.size()) {
    throw Error(ErrorCode::kBadInput, "ABI: " + std::to_string(tuple.items.size()) +
                                          " values are needed, got " +
                                          std::to_string(values.size()));
  }
  Bytes out;
  encode_sequence(
      values, [&](size_t i) -> const Type& { return tuple.items[i]; }, nullptr, &tuple, out);
  return out;
}

Value abi_decode_members(const Type& tuple, ByteView data, Trailing trailing) {
  Decoder decoder(data);
  Values out = decoder.sequence(
      tuple.items.size(), [&](size_t i) -> const Type& { return tuple.items[i]; }, 0, nullptr,
      &tuple);
  if (trailing == Trailing::kRefuse && !decoder.all_read()) {
    throw Error(ErrorCode::kBadInput,
                "ABI: " + std::to_string(decoder.unread()) + " bytes belong to no value");
  }
  return Value::named(std::move(out), tuple.names);
}

Bytes abi_encode(const std::vector<Type>& types, const Values& values) {
  return abi_encode_members(unnamed_tuple(types), values);
}

Values abi_decode(const std::vector<Type>& types, ByteView data, Trailing trailing) {
  return abi_decode_members(unnamed_tuple(types), data, trailing).items();
}

Bytes abi_encode_packed(const std::vector<Type>& types, const Values& values) {
  abi_encode(types, values);  // checks every value against its type
  Bytes out;
  for (size_t i = 0; i < types.size(); ++i) {
    const Type& type = types[i];
    Path path{nullptr, i, nullptr};
    switch (type.kind) {
      case Kind::kUint:
      case Kind::kInt: {
        H256 word = number_word(type, values[i], path).to_h256();
        append(out, ByteView(word.bytes).last(type.size / 8));
        break;
      }
      case Kind::kBool:
        out.push_back(bool_of(type, values[i], path) ? 1 : 0);
        break;
      case Kind::kAddress:
        append(out, address_of(type, values[i], path).bytes);
        break;
      case Kind::kFixedBytes:
      case Kind::kBytes:
      case Kind::kString:
        append(out, bytes_of(type, values[i], path));
        break;
      case Kind::kArray:
      case Kind::kTuple:
        bad(path, type, "has no packed form here");
    }
  }
  return out;
}

}  // namespace ffe::evm
