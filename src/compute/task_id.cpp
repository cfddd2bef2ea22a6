#include "compute/task_id.hpp"

#include "base/hex.hpp"
#include "crypto/random.hpp"

namespace ffe::compute {

TaskId TaskId::random() {
  TaskId id;
  crypto::random_bytes(id.bytes_.bytes);
  id.bytes_[6] = static_cast<uint8_t>((id.bytes_[6] & 0x0f) | 0x40);
  id.bytes_[8] = static_cast<uint8_t>((id.bytes_[8] & 0x3f) | 0x80);
  return id;
}

TaskId TaskId::parse(std::string_view text) {
  auto bad = [] {
    return Error(ErrorCode::kBadInput, "a task's id is a UUID: 8-4-4-4-12 hexadecimal digits");
  };
  if (text.size() != 36) throw bad();
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) throw bad();
    if (!dash && !std::isxdigit(static_cast<unsigned char>(text[i]))) throw bad();
    if (!dash) digits += text[i];
  }
  TaskId id;
  id.bytes_ = fixed_from_hex<16>(digits);
  return id;
}

std::string TaskId::hex() const {
  return to_hex(bytes_.bytes);
}

std::string TaskId::text() const {
  std::string h = hex();
  for (size_t at : {8, 13, 18, 23}) h.insert(at, "-");
  return h;
}

}  // namespace ffe::compute
