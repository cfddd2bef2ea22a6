#include "lm/framed_file.hpp"

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace ffe::lm {

Bytes write_frame(std::string_view magic, const Json& header, ByteView body) {
  const std::string text = header.dump();
  uint8_t length[8];
  put_le64(length, text.size());
  Bytes out;
  out.reserve(magic.size() + sizeof length + text.size() + body.size() + H256::kSize);
  append(out, as_bytes(magic));
  append(out, length);
  append(out, as_bytes(text));
  append(out, body);
  append(out, crypto::sha256(out).bytes);
  return out;
}

Frame read_frame(std::string_view magic, ByteView bytes) {
  constexpr size_t kFixed = 16 + H256::kSize;
  if (bytes.size() < kFixed || as_text(bytes.first(8)) != magic) {
    throw Error(ErrorCode::kBadInput, "checkpoint: not a checkpoint of this program");
  }
  const ByteView content = bytes.first(bytes.size() - H256::kSize);
  if (H256::from(bytes.last(H256::kSize)) != crypto::sha256(content)) {
    throw Error(ErrorCode::kCorrupt, "checkpoint: its checksum does not match",
                "resume from an older checkpoint, or begin again");
  }
  const uint64_t length = get_le64(content.data() + 8);
  if (length > content.size() - 16) {
    throw Error(ErrorCode::kBadInput, "checkpoint: header too long");
  }
  return {parse_json(as_text(content.subspan(16, length)), "checkpoint"),
          content.subspan(16 + length)};
}

}  // namespace ffe::lm
