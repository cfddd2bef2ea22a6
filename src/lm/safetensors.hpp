// The safetensors container: a strict reader over mapped bytes and a deterministic writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::lm {

// Format: u64 LE header length n; n bytes of JSON {"name":{"dtype","shape","data_offsets":[b,e]}…,
// "__metadata__":{string:string}}; then the data, to which offsets are relative. As in the
// reference implementation the tensors must tile the data: no gap, no overlap, nothing left over.
struct SafetensorsEntry {
  std::string dtype;  // "F32", "F16", "BF16", "I64", …
  std::vector<uint64_t> shape;
  ByteView data;  // into the view that was parsed
};

class SafetensorsView {
 public:
  // `bytes` must outlive the view. Throws Error{kBadInput} whose message begins with `what` and
  // names the tensor. Allocates in proportion to the header only.
  SafetensorsView(ByteView bytes, std::string what);

  const std::map<std::string, SafetensorsEntry, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // Throws Error{kBadInput} naming the tensor if it is missing or not F32, F16 or BF16.
  std::vector<float> read_f32(std::string_view name) const;

 private:
  std::string what_;
  std::map<std::string, SafetensorsEntry, std::less<>> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct SafetensorsTensor {
  std::vector<uint64_t> shape;
  std::span<const float> data;  // as many values as the shape says
};

// F32 only. Equal input gives equal bytes: names sorted, no spaces, header padded to 8 bytes.
Bytes write_safetensors(const std::map<std::string, SafetensorsTensor>& tensors,
                        const std::map<std::string, std::string>& metadata = {});

}  // namespace ffe::lm
