// A cursor over untrusted little-endian bytes whose errors name the field and its offset.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe::tee {

class Reader {
 public:
  // `what` names the document in errors; `origin` is the offset of `bytes` inside it.
  Reader(ByteView bytes, std::string_view what, size_t origin = 0)
      : bytes_(bytes), what_(what), origin_(origin) {}

  ByteView take(size_t size, std::string_view field) {
    if (size > left()) {
      throw Error(ErrorCode::kBadInput,
                  what_ + ": " + std::string(field) + " needs " + std::to_string(size) +
                      " bytes at offset " + std::to_string(offset()) + ", " +
                      std::to_string(left()) + " are left",
                  "the data is truncated or of another kind; fetch it again");
    }
    ByteView out = bytes_.subspan(position_, size);
    position_ += size;
    return out;
  }

  template <size_t N>
  FixedBytes<N> fixed(std::string_view field) {
    return FixedBytes<N>::from(take(N, field));
  }
  uint8_t u8(std::string_view field) { return take(1, field)[0]; }
  uint16_t u16(std::string_view field) { return get_le16(take(2, field).data()); }
  uint32_t u32(std::string_view field) { return get_le32(take(4, field).data()); }

  size_t offset() const { return origin_ + position_; }
  size_t left() const { return bytes_.size() - position_; }
  bool done() const { return left() == 0; }
  const std::string& what() const { return what_; }

 private:
  ByteView bytes_;
  std::string what_;
  size_t origin_;
  size_t position_ = 0;
};

}  // namespace ffe::tee
