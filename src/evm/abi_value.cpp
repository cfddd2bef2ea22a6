// Types and values; the codec is in abi_codec.cpp.
#include <algorithm>

#include "base/hex.hpp"
#include "crypto/address.hpp"
#include "evm/abi.hpp"

namespace ffe::evm {
namespace {

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

std::string_view kind_name(const Value::Data& data) {
  constexpr std::string_view kNames[] = {"a number", "a bool", "an address",
                                         "bytes",    "text",   "a list"};
  return kNames[data.index()];
}

template <class T>
const T& get(const Value::Data& data, std::string_view wanted) {
  if (const T* held = std::get_if<T>(&data)) return *held;
  bad("a value is " + std::string(kind_name(data)) + ", not " + std::string(wanted));
}

constexpr size_t kShownBytes = 64;
constexpr size_t kShownItems = 32;

std::string show_bytes(ByteView bytes) {
  std::string out = to_hex0x(bytes.first(std::min(bytes.size(), kShownBytes)));
  if (bytes.size() > kShownBytes) out += "… (" + std::to_string(bytes.size()) + " bytes)";
  return out;
}

// Contract-supplied text goes to terminals: control characters and non-ASCII bytes are escaped.
std::string show_text(std::string_view text) {
  constexpr size_t kShownText = 256;
  std::string out = "\"";
  for (char c : text.substr(0, kShownText)) {
    uint8_t byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x" + to_hex({&byte, 1});
    }
  }
  return out + (text.size() > kShownText ? "…\"" : "\"");
}

struct Show {
  const std::vector<std::string>* names;

  std::string operator()(const Value::Number& number) const {
    return number.negative ? "-" + number.word.twos_complement().to_string()
                           : number.word.to_string();
  }
  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(const Address& address) const { return crypto::checksum_address(address); }
  std::string operator()(const Bytes& bytes) const { return show_bytes(bytes); }
  std::string operator()(const std::string& text) const { return show_text(text); }
  std::string operator()(const Values& items) const {
    std::string out = names != nullptr ? "(" : "[";
    for (size_t i = 0; i < items.size() && i < kShownItems; ++i) {
      if (i != 0) out += ", ";
      if (names != nullptr && i < names->size() && !(*names)[i].empty()) out += (*names)[i] + "=";
      out += items[i].to_string();
    }
    if (items.size() > kShownItems) out += ", … (" + std::to_string(items.size()) + " items)";
    return out + (names != nullptr ? ")" : "]");
  }
};

}  // namespace

Type Type::tuple(const std::vector<Param>& params) {
  Type out;
  out.kind = Kind::kTuple;
  out.size = 0;
  std::vector<std::string> names;
  for (const Param& param : params) {
    out.items.push_back(param.type);
    names.push_back(param.name);
  }
  out.names = std::make_shared<const std::vector<std::string>>(std::move(names));
  return out;
}

bool Type::is_dynamic() const {
  if (kind == Kind::kBytes || kind == Kind::kString) return true;
  if (kind == Kind::kArray && !length) return true;
  return std::any_of(items.begin(), items.end(), [](const Type& t) { return t.is_dynamic(); });
}

size_t Type::head_size() const {
  if (is_dynamic() || items.empty()) return 32;
  if (kind == Kind::kArray) return *length * items[0].head_size();
  size_t total = 0;
  for (const Type& item : items) total += item.head_size();
  return total;
}

std::string Type::canonical() const {
  switch (kind) {
    case Kind::kUint:
      return "uint" + std::to_string(size);
    case Kind::kInt:
      return "int" + std::to_string(size);
    case Kind::kAddress:
      return "address";
    case Kind::kBool:
      return "bool";
    case Kind::kFixedBytes:
      return "bytes" + std::to_string(size);
    case Kind::kBytes:
      return "bytes";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return items[0].canonical() + "[" + (length ? std::to_string(*length) : "") + "]";
    case Kind::kTuple:
      break;
  }
  std::string out = "(";
  for (size_t i = 0; i < items.size(); ++i) out += (i != 0 ? "," : "") + items[i].canonical();
  return out + ")";
}

bool Type::operator==(const Type& other) const {
  return kind == other.kind && size == other.size && length == other.length && items == other.items;
}

Value::Number Value::negative(int64_t number) {
  return {U256(~static_cast<uint64_t>(number)).operator~(), true};
}

Value Value::named(Values items, std::shared_ptr<const std::vector<std::string>> names) {
  Value out(std::move(items));
  out.names_ = std::move(names);
  return out;
}

Value Value::signed_word(const U256& word) {
  Value out;
  out.data_ = Number{word, word.bit(255)};
  return out;
}

const U256& Value::as_u256() const {
  const Number& number = get<Number>(data_, "a number");
  if (number.negative) bad("a number is negative: " + to_string());
  return number.word;
}

uint64_t Value::as_u64() const {
  return as_u256().to_u64();
}

int64_t Value::as_i64() const {
  const Number& number = get<Number>(data_, "a number");
  U256 magnitude = number.negative ? ~number.word : number.word;
  if (magnitude.bit_length() > 63) bad("a number is larger than 64 bits: " + to_string());
  int64_t out = static_cast<int64_t>(magnitude.to_u64());
  return number.negative ? ~out : out;
}

bool Value::as_bool() const {
  return get<bool>(data_, "a bool");
}
const Address& Value::as_address() const {
  return get<Address>(data_, "an address");
}
ByteView Value::as_bytes() const {
  return get<Bytes>(data_, "bytes");
}
const std::string& Value::as_string() const {
  return get<std::string>(data_, "text");
}
const Values& Value::items() const {
  return get<Values>(data_, "a list");
}

const Value& Value::at(size_t index) const {
  const Values& list = items();
  if (index >= list.size()) {
    bad("no item " + std::to_string(index) + " in a list of " + std::to_string(list.size()));
  }
  return list[index];
}

const Value& Value::at(std::string_view name) const {
  const Values& list = items();
  for (size_t i = 0; names_ && i < list.size() && i < names_->size(); ++i) {
    if ((*names_)[i] == name) return list[i];
  }
  bad("no member \"" + std::string(name) + "\" in " + to_string());
}

std::string Value::to_string() const {
  return std::visit(Show{names_.get()}, data_);
}

}  // namespace ffe::evm
