// The frame of the checkpoint files (docs/spec/checkpoint.md): magic, JSON header, body, checksum.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace ffe::lm {

// `magic` has eight bytes.
Bytes write_frame(std::string_view magic, const Json& header, ByteView body);

struct Frame {
  Json header;
  ByteView body;  // within the bytes that were read
};
// Throws Error{kBadInput} if the bytes do not begin with `magic` or break off, Error{kCorrupt} if
// the checksum does not match.
Frame read_frame(std::string_view magic, ByteView bytes);

}  // namespace ffe::lm
