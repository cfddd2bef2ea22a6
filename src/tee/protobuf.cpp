#include "tee/protobuf.hpp"

#include "tee/reader.hpp"

namespace ffe::tee {
namespace {

constexpr uint32_t kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;
constexpr size_t kMaxFields = 4096;

[[noreturn]] void bad(const std::string& what, const std::string& message) {
  throw Error(ErrorCode::kBadInput, what + ": " + message,
              "the service speaks another protocol or version");
}

uint64_t read_varint(Reader& in) {
  uint64_t out = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    uint8_t byte = in.u8("varint");
    if (shift == 63 && byte > 1) break;
    out |= uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return out;
  }
  bad(in.what(), "a varint is longer than 64 bits at offset " + std::to_string(in.offset()));
}

}  // namespace

void ProtoWriter::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<uint8_t>(value | 0x80));
  out_.push_back(static_cast<uint8_t>(value));
}

ProtoWriter& ProtoWriter::bytes(uint32_t field, ByteView value) {
  if (value.empty()) return *this;
  varint(uint64_t{field} << 3 | kLengthDelimited);
  varint(value.size());
  append(out_, value);
  return *this;
}

ProtoWriter& ProtoWriter::boolean(uint32_t field, bool value) {
  if (!value) return *this;
  varint(uint64_t{field} << 3 | kVarint);
  varint(1);
  return *this;
}

ProtoReader::ProtoReader(ByteView message, std::string_view what) : what_(what) {
  Reader in(message, what_);
  while (!in.done()) {
    size_t at = in.offset();
    uint64_t key = read_varint(in);
    Field field;
    uint64_t number = key >> 3;
    if (number == 0 || number > 0x1fffffff) {
      bad(what_, "field number at offset " + std::to_string(at) + " is out of range");
    }
    field.number = static_cast<uint32_t>(number);
    switch (key & 7) {
      case kVarint:
        field.value = read_varint(in);
        break;
      case kFixed64:
        field.value = get_le64(in.take(8, "64-bit field").data());
        break;
      case kFixed32:
        field.value = in.u32("32-bit field");
        break;
      case kLengthDelimited: {
        uint64_t size = read_varint(in);
        if (size > in.left()) bad(what_, "field " + std::to_string(number) + " is cut off");
        field.content = in.take(static_cast<size_t>(size), "field");
        field.is_bytes = true;
        break;
      }
      default:
        bad(what_, "unknown wire type at offset " + std::to_string(at));
    }
    if (fields_.size() == kMaxFields) bad(what_, "too many fields");
    fields_.push_back(field);
  }
}

const ProtoReader::Field* ProtoReader::find(uint32_t field, bool is_bytes) const {
  for (auto at = fields_.rbegin(); at != fields_.rend(); ++at) {
    if (at->number != field) continue;
    if (at->is_bytes != is_bytes) {
      bad(what_, "field " + std::to_string(field) + " has another type");
    }
    return &*at;
  }
  return nullptr;
}

uint64_t ProtoReader::number(uint32_t field) const {
  const Field* found = find(field, false);
  return found == nullptr ? 0 : found->value;
}

ByteView ProtoReader::bytes(uint32_t field) const {
  const Field* found = find(field, true);
  return found == nullptr ? ByteView{} : found->content;
}

}  // namespace ffe::tee
