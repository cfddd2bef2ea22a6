#include "evm/rlp.hpp"

namespace ffe::evm {
namespace {

constexpr size_t kMaxDepth = 64;

[[noreturn]] void bad(size_t offset, const std::string& why) {
  throw Error(ErrorCode::kBadInput, "RLP: " + why + " at offset " + std::to_string(offset));
}

Bytes minimal_be(uint64_t number) {
  uint8_t word[8];
  put_be64(word, number);
  size_t first = 0;
  while (first < 8 && word[first] == 0) ++first;
  return {word + first, word + 8};
}

// `short_form` is 0x80 for strings, 0xc0 for lists.
void put_header(Bytes& out, uint8_t short_form, size_t length) {
  if (length <= 55) {
    out.push_back(static_cast<uint8_t>(short_form + length));
    return;
  }
  Bytes size = minimal_be(length);
  out.push_back(static_cast<uint8_t>(short_form + 55 + size.size()));
  append(out, size);
}

void encode(const RlpItem& item, Bytes& out) {
  if (item.is_list) {
    Bytes content;
    for (const RlpItem& member : item.items) encode(member, content);
    put_header(out, 0xc0, content.size());
    append(out, content);
    return;
  }
  if (item.bytes.size() != 1 || item.bytes[0] >= 0x80) put_header(out, 0x80, item.bytes.size());
  append(out, item.bytes);
}

class Decoder {
 public:
  explicit Decoder(ByteView data) : data_(data) {}

  RlpItem whole() {
    RlpItem item = next(data_.size(), 0);
    if (at_ != data_.size()) bad(at_, "bytes after the item");
    return item;
  }

 private:
  RlpItem next(size_t end, size_t depth) {
    if (depth > kMaxDepth) bad(at_, "nested too deeply");
    if (at_ >= end) bad(at_, "ends early");
    size_t start = at_;
    uint8_t first = data_[at_];
    if (first < 0x80) {
      ++at_;
      return RlpItem(Bytes{first});
    }
    bool list = first >= 0xc0;
    ++at_;
    size_t length = read_length(static_cast<uint8_t>(first - (list ? 0xc0 : 0x80)), end, start);
    if (length > end - at_) bad(start, "longer than what contains it");
    if (list) return read_list(at_ + length, depth);
    if (length == 1 && data_[at_] < 0x80) bad(start, "a single byte not in its shortest form");
    RlpItem item = RlpItem::of(data_.subspan(at_, length));
    at_ += length;
    return item;
  }

  RlpItem read_list(size_t end, size_t depth) {
    RlpItem list{std::vector<RlpItem>{}};
    while (at_ < end) list.items.push_back(next(end, depth + 1));
    return list;
  }

  size_t read_length(uint8_t code, size_t end, size_t start) {
    if (code <= 55) return code;
    size_t digits = code - 55u;
    if (digits > end - at_) bad(start, "ends early");
    if (data_[at_] == 0) bad(start, "a length with leading zeros");
    uint64_t length = 0;
    for (size_t i = 0; i < digits; ++i) length = length << 8 | data_[at_++];
    if (length <= 55) bad(start, "a length not in its shortest form");
    return length;
  }

  ByteView data_;
  size_t at_ = 0;
};

}  // namespace

RlpItem RlpItem::of(const U256& number) {
  H256 word = number.to_h256();
  size_t length = (number.bit_length() + 7) / 8;
  return RlpItem(Bytes(word.end() - length, word.end()));
}

U256 RlpItem::to_u256(std::string_view what) const {
  if (is_list || bytes.size() > 32 || (!bytes.empty() && bytes[0] == 0)) {
    throw Error(ErrorCode::kBadInput, "RLP: " + std::string(what) + " is not a canonical number");
  }
  return U256::from_be(bytes);
}

Bytes rlp_encode(const RlpItem& item) {
  Bytes out;
  encode(item, out);
  return out;
}

RlpItem rlp_decode(ByteView data, size_t max_bytes) {
  if (data.size() > max_bytes) bad(max_bytes, "larger than the limit");
  return Decoder(data).whole();
}

}  // namespace ffe::evm
