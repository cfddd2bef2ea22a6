// The GGUF container, versions 2 and 3, little-endian.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "lm/dtype.hpp"

namespace ffe::lm {

// Format: "GGUF", u32 version, u64 tensor count, u64 metadata count; metadata: string key, u32
// type, value; tensors: string name, u32 dimensions, u64 sizes (fastest first), u32 type, u64
// offset into the data, which begins at the next multiple of general.alignment (32). A string is a
// u64 length and bytes. Strings and arrays stay views into the parsed bytes.
class GgufFile {
 public:
  struct Tensor {
    std::string name;
    DType dtype = DType::kF32;
    std::vector<uint64_t> shape;  // row-major: the reverse of the file's
    ByteView data;
  };

  // `bytes` must outlive the object. Throws Error whose message begins with `what` and names the
  // key or tensor: kBadInput for broken, kUnsupported for other versions. Tensors of a type that is
  // not in DType are kept apart (foreign_tensors()) and matter only if somebody asks for them.
  GgufFile(ByteView bytes, std::string what);

  const std::string& what() const { return what_; }
  const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  // Name → type, as "type 10".
  const std::map<std::string, std::string, std::less<>>& foreign_tensors() const {
    return foreign_;
  }

  bool has(std::string_view key) const { return values_.find(key) != values_.end(); }
  // Each throws Error{kBadInput} naming the key if the value has another type; the optional forms
  // return nothing if the key is absent.
  std::optional<uint64_t> find_uint(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  uint64_t get_uint(std::string_view key) const;
  double get_float(std::string_view key) const;
  std::string_view get_string(std::string_view key) const;
  std::vector<std::string_view> get_strings(std::string_view key) const;
  std::vector<int64_t> get_ints(std::string_view key) const;
  std::vector<float> get_floats(std::string_view key) const;

 private:
  friend class GgufParser;
  struct Value {
    uint32_t type = 0;
    uint32_t element_type = 0;  // of an array
    uint64_t count = 0;         // of an array
    ByteView payload;           // scalar bytes, string text or the array's elements
  };
  const Value* find(std::string_view key) const;
  const Value& get(std::string_view key) const;
  const Value& get_array(std::string_view key) const;
  [[noreturn]] void wrong_type(std::string_view key, std::string_view wanted) const;

  std::string what_;
  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> foreign_;
};

}  // namespace ffe::lm
