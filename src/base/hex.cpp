#include "base/hex.hpp"

namespace ffe {
namespace {

constexpr char kDigits[] = "0123456789abcdef";
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::array<int8_t, 256> base64_table() {
  std::array<int8_t, 256> table;
  table.fill(-1);
  for (int i = 0; i < 64; ++i) table[static_cast<uint8_t>(kBase64[i])] = static_cast<int8_t>(i);
  return table;
}

std::vector<std::array<char, 2>> base64_pairs() {
  std::vector<std::array<char, 2>> pairs;
  for (int i = 0; i < 4096; ++i) pairs.push_back({kBase64[i >> 6], kBase64[i & 63]});
  return pairs;
}

[[noreturn]] void bad_base64(size_t offset) {
  throw Error(ErrorCode::kBadInput, "not base64 at offset " + std::to_string(offset));
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string out(bytes.size() * 2, '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return out;
}

std::string to_hex0x(ByteView bytes) {
  return "0x" + to_hex(bytes);
}

Bytes from_hex(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  if (text.size() % 2 != 0) {
    throw Error(ErrorCode::kBadInput,
                "odd number of hex digits (" + std::to_string(text.size()) + ")");
  }
  Bytes out(text.size() / 2);
  for (size_t i = 0; i < text.size(); ++i) {
    int v = hex_value(text[i]);
    if (v < 0) throw Error(ErrorCode::kBadInput, "not a hex digit at offset " + std::to_string(i));
    out[i / 2] = static_cast<uint8_t>(out[i / 2] << 4 | v);
  }
  return out;
}

// 12 bits at a time: two digits each.
std::string to_base64(ByteView bytes) {
  static const auto kPairs = base64_pairs();
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3, to += 4) {
    const uint32_t v = uint32_t{bytes[i]} << 16 | uint32_t{bytes[i + 1]} << 8 | bytes[i + 2];
    std::memcpy(to, kPairs[v >> 12].data(), 2);
    std::memcpy(to + 2, kPairs[v & 4095].data(), 2);
  }
  if (i < bytes.size()) {
    const bool two = bytes.size() - i == 2;
    const uint32_t v = uint32_t{bytes[i]} << 16 | (two ? uint32_t{bytes[i + 1]} << 8 : 0);
    std::memcpy(to, kPairs[v >> 12].data(), 2);
    if (two) to[2] = kBase64[v >> 6 & 63];
  }
  return out;
}

Bytes from_base64(std::string_view text) {
  static const std::array<int8_t, 256> kTable = base64_table();
  if (text.size() % 4 != 0) bad_base64(text.size());
  const size_t pad = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  Bytes out(text.size() / 4 * 3 - pad);
  // Of four digits, the value and whether one is bad (then the sign bit of the whole).
  auto value = [&](size_t at, size_t digits) {
    int32_t v = 0, sign = 0;
    for (size_t j = 0; j < 4; ++j) {
      const int32_t d = j < digits ? kTable[static_cast<uint8_t>(text[at + j])] : 0;
      sign |= d;
      v = v << 6 | (d & 63);
    }
    if (sign < 0) {
      for (size_t j = 0; j < digits; ++j) {
        if (kTable[static_cast<uint8_t>(text[at + j])] < 0) bad_base64(at + j);
      }
    }
    return static_cast<uint32_t>(v);
  };
  uint8_t* to = out.data();
  const size_t whole = pad == 0 ? text.size() : text.size() - 4;
  for (size_t at = 0; at < whole; at += 4, to += 3) {
    const uint32_t v = value(at, 4);
    to[0] = static_cast<uint8_t>(v >> 16);
    to[1] = static_cast<uint8_t>(v >> 8);
    to[2] = static_cast<uint8_t>(v);
  }
  if (pad != 0) {
    const uint32_t v = value(whole, 4 - pad);
    // The bits that no byte takes must be zero: every byte string has one spelling.
    if ((v & (pad == 1 ? 0xff : 0xffff)) != 0) bad_base64(whole);
    to[0] = static_cast<uint8_t>(v >> 16);
    if (pad == 1) to[1] = static_cast<uint8_t>(v >> 8);
  }
  return out;
}

}  // namespace ffe
