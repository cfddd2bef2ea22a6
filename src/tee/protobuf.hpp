// The wire form of Protocol Buffers (protobuf.dev, "Encoding") for small flat messages: what a few
// calls to a platform's service need, and nothing of the rest (groups, packed fields, maps).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::tee {

// Appends fields in the order of the calls. Empty strings and false are the default of proto3 and
// are left out, as every implementation does.
class ProtoWriter {
 public:
  ProtoWriter& text(uint32_t field, std::string_view value) {
    return bytes(field, as_bytes(value));
  }
  ProtoWriter& bytes(uint32_t field, ByteView value);
  ProtoWriter& boolean(uint32_t field, bool value);

  const Bytes& done() const { return out_; }

 private:
  void varint(uint64_t value);
  Bytes out_;
};

// The fields of one message; views into the bytes that it was made from. Of a field that appears
// more than once the last counts, as the encoding says.
class ProtoReader {
 public:
  // Throws Error{kBadInput} naming `what` and the offset.
  ProtoReader(ByteView message, std::string_view what);

  // Absent fields have proto3's defaults. Throw Error{kBadInput} for another wire type.
  bool boolean(uint32_t field) const { return number(field) != 0; }
  uint64_t number(uint32_t field) const;
  ByteView bytes(uint32_t field) const;
  std::string text(uint32_t field) const { return std::string(as_text(bytes(field))); }

 private:
  struct Field {
    uint32_t number = 0;
    bool is_bytes = false;
    uint64_t value = 0;
    ByteView content;
  };
  const Field* find(uint32_t field, bool is_bytes) const;

  std::string what_;
  std::vector<Field> fields_;
};

}  // namespace ffe::tee
