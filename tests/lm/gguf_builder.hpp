// Writes small GGUF files for tests: well-formed ones, and broken ones by patching.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::lm::testing {

class GgufBuilder {
 public:
  GgufBuilder& text(std::string_view key, std::string_view value) {
    begin(key, 8);
    put_string(head_, value);
    return *this;
  }
  GgufBuilder& u32(std::string_view key, uint32_t value) {
    begin(key, 4);
    put(head_, value, 4);
    return *this;
  }
  GgufBuilder& f32(std::string_view key, float value) {
    begin(key, 6);
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    put(head_, bits, 4);
    return *this;
  }
  GgufBuilder& boolean(std::string_view key, bool value) {
    begin(key, 7);
    put(head_, value ? 1 : 0, 1);
    return *this;
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, 8, values.size());
    for (const std::string& v : values) put_string(head_, v);
    return *this;
  }
  GgufBuilder& ints(std::string_view key, const std::vector<int32_t>& values) {
    begin_array(key, 5, values.size());
    for (int32_t v : values) put(head_, static_cast<uint32_t>(v), 4);
    return *this;
  }
  GgufBuilder& floats(std::string_view key, const std::vector<float>& values) {
    begin_array(key, 6, values.size());
    append(head_, {reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4});
    return *this;
  }
  // `shape` as GGUF has it: fastest first.
  GgufBuilder& tensor(std::string_view name, std::vector<uint64_t> shape, uint32_t type,
                      ByteView data) {
    put_string(list_, name);
    put(list_, shape.size(), 4);
    for (uint64_t n : shape) put(list_, n, 8);
    put(list_, type, 4);
    put(list_, data_.size(), 8);
    append(data_, data);
    data_.resize((data_.size() + 31) / 32 * 32);
    ++tensors_;
    return *this;
  }
  GgufBuilder& tensor_f32(std::string_view name, std::vector<uint64_t> shape,
                          const std::vector<float>& values) {
    return tensor(name, std::move(shape), 0,
                  {reinterpret_cast<const uint8_t*>(values.data()), values.size() * 4});
  }

  Bytes build(uint32_t version = 3) const {
    Bytes out = {'G', 'G', 'U', 'F'};
    put(out, version, 4);
    put(out, tensors_, 8);
    put(out, keys_, 8);
    append(out, head_);
    append(out, list_);
    out.resize((out.size() + 31) / 32 * 32);
    append(out, data_);
    return out;
  }

  static void put(Bytes& out, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; ++i, v >>= 8) out.push_back(static_cast<uint8_t>(v));
  }

 private:
  static void put_string(Bytes& out, std::string_view s) {
    put(out, s.size(), 8);
    append(out, as_bytes(s));
  }
  void begin(std::string_view key, uint32_t type) {
    put_string(head_, key);
    put(head_, type, 4);
    ++keys_;
  }
  void begin_array(std::string_view key, uint32_t type, size_t n) {
    begin(key, 9);
    put(head_, type, 4);
    put(head_, n, 8);
  }

  Bytes head_, list_, data_;
  uint64_t keys_ = 0, tensors_ = 0;
};

}  // namespace ffe::lm::testing
