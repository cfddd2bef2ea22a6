#include "evm/signature_parser.hpp"

#include <charconv>

namespace ffe::evm {
namespace {

constexpr int kMaxDepth = 16;
constexpr size_t kMaxText = 64 * 1024;
constexpr size_t kMaxHead = size_t{16} << 20;

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '$';
}

// A number without leading zeros; nullopt for anything else.
std::optional<size_t> number(std::string_view digits) {
  size_t out = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc() || end != digits.data() + digits.size() || digits[0] == '0') {
    return std::nullopt;
  }
  return out;
}

std::optional<Type> sized_type(std::string_view word, std::string_view prefix, Type::Kind kind) {
  if (!word.starts_with(prefix)) return std::nullopt;
  std::string_view digits = word.substr(prefix.size());
  Type out;
  out.kind = kind;
  if (digits.empty()) return out;
  std::optional<size_t> size = number(digits);
  bool bytes = kind == Type::Kind::kFixedBytes;
  if (!size || *size == 0 || *size > (bytes ? 32 : 256) || (!bytes && *size % 8 != 0)) {
    return std::nullopt;
  }
  out.size = static_cast<unsigned>(*size);
  return out;
}

}  // namespace

std::optional<Type> elementary_type(std::string_view word) {
  Type out;
  out.size = 0;
  if (word == "address") return out.kind = Type::Kind::kAddress, out;
  if (word == "bool") return out.kind = Type::Kind::kBool, out;
  if (word == "bytes") return out.kind = Type::Kind::kBytes, out;
  if (word == "string") return out.kind = Type::Kind::kString, out;
  if (auto type = sized_type(word, "uint", Type::Kind::kUint)) return type;
  if (auto type = sized_type(word, "int", Type::Kind::kInt)) return type;
  return sized_type(word, "bytes", Type::Kind::kFixedBytes);
}

void SignatureParser::fail(const std::string& why) const {
  constexpr size_t kShown = 120;
  std::string shown(text_.substr(0, kShown));
  throw Error(ErrorCode::kBadInput, "ABI text \"" + shown + (text_.size() > kShown ? "…" : "") +
                                        "\": " + why + " at offset " + std::to_string(at_));
}

void SignatureParser::skip_space() {
  if (text_.size() > kMaxText) fail("too long");
  while (at_ < text_.size() &&
         (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
    ++at_;
  }
}

std::string_view SignatureParser::peek_word() {
  skip_space();
  size_t end = at_;
  while (end < text_.size() && is_word_char(text_[end])) ++end;
  return text_.substr(at_, end - at_);
}

bool SignatureParser::take_word(std::string_view word) {
  if (peek_word() != word) return false;
  at_ += word.size();
  return true;
}

std::string SignatureParser::identifier(std::string_view what) {
  std::string_view word = peek_word();
  if (word.empty() || (word[0] >= '0' && word[0] <= '9')) fail(std::string(what) + " expected");
  at_ += word.size();
  return std::string(word);
}

bool SignatureParser::take(char c) {
  skip_space();
  if (at_ >= text_.size() || text_[at_] != c) return false;
  ++at_;
  return true;
}

void SignatureParser::expect(char c) {
  if (!take(c)) fail(std::string("'") + c + "' expected");
}

bool SignatureParser::at_end() {
  skip_space();
  return at_ == text_.size();
}

void SignatureParser::expect_end() {
  take(';');
  if (!at_end()) fail("unexpected text");
}

Type SignatureParser::type(int depth) {
  if (depth > kMaxDepth) fail("nested too deeply");
  skip_space();
  bool tuple = take_word("tuple");
  if (tuple || (at_ < text_.size() && text_[at_] == '(')) {
    std::vector<Param> members = params(false, depth + 1);
    if (members.empty()) fail("a tuple without members");
    return array_suffixes(Type::tuple(members), depth);
  }
  std::string_view word = peek_word();
  std::optional<Type> elementary = elementary_type(word);
  if (!elementary) fail("unknown type \"" + std::string(word) + "\"");
  at_ += word.size();
  if (elementary->kind == Type::Kind::kAddress) take_word("payable");
  return array_suffixes(std::move(*elementary), depth);
}

std::optional<std::optional<size_t>> SignatureParser::array_suffix() {
  if (!take('[')) return std::nullopt;
  if (take(']')) return std::optional<size_t>();
  std::string_view word = peek_word();
  std::optional<size_t> length = word.empty() ? std::nullopt : number(word);
  if (!length) fail("an array length above 0 expected");
  at_ += word.size();
  expect(']');
  return length;
}

Type SignatureParser::array_suffixes(Type element, int depth) {
  while (auto length = array_suffix()) {
    if (++depth > kMaxDepth) fail("nested too deeply");
    if (length->value_or(1) > kMaxHead / element.head_size()) fail("array too large");
    Type array;
    array.kind = Type::Kind::kArray;
    array.size = 0;
    array.length = *length;
    array.items.push_back(std::move(element));
    element = std::move(array);
  }
  if (element.head_size() > kMaxHead) fail("type too large");
  return element;
}

std::vector<Param> SignatureParser::params(bool indexed_allowed, int depth) {
  std::vector<Param> out;
  expect('(');
  if (take(')')) return out;
  do {
    Param param;
    param.type = type(depth);
    param.indexed = indexed_allowed && take_word("indexed");
    for (std::string_view location : {"memory", "calldata", "storage"}) take_word(location);
    if (!peek_word().empty()) param.name = identifier("a name");
    out.push_back(std::move(param));
  } while (take(','));
  expect(')');
  return out;
}

Type parse_type(std::string_view text) {
  SignatureParser parser(text);
  Type out = parser.type();
  parser.expect_end();
  return out;
}

std::vector<Type> parse_types(std::string_view comma_separated) {
  std::vector<Type> out;
  SignatureParser parser(comma_separated);
  if (parser.at_end()) return out;
  do out.push_back(parser.type());
  while (parser.take(','));
  parser.expect_end();
  return out;
}

}  // namespace ffe::evm
