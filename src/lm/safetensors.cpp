#include "lm/safetensors.hpp"

#include <optional>

#include "base/json.hpp"
#include "lm/dtype.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kMaxHeader = 16u << 20;
constexpr size_t kMaxDimensions = 8;

struct DtypeSize {
  std::string_view name;
  uint64_t bytes;
};
constexpr DtypeSize kDtypes[] = {{"F32", 4},  {"F16", 2},     {"BF16", 2},   {"F64", 8},
                                 {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
                                 {"U64", 8},  {"U32", 4},     {"U16", 2},    {"U8", 1},
                                 {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};

std::optional<uint64_t> dtype_bytes(std::string_view dtype) {
  for (const DtypeSize& d : kDtypes) {
    if (d.name == dtype) return d.bytes;
  }
  return std::nullopt;
}

struct Range {
  uint64_t begin;
  uint64_t end;
  const std::string* name;
};

class Parser {
 public:
  Parser(ByteView bytes, const std::string& what) : bytes_(bytes), what_(what) {}

  Json header() {
    if (bytes_.size() < 8) fail("is shorter than its 8-byte header length");
    const uint64_t length = get_le64(bytes_.data());
    if (length > bytes_.size() - 8) {
      fail("header length " + std::to_string(length) + " is beyond the end of the file");
    }
    if (length > kMaxHeader) {
      fail("header length " + std::to_string(length) + " is above the limit of " +
           std::to_string(kMaxHeader));
    }
    data_ = bytes_.subspan(8 + length);
    Json json = parse_json(as_text(bytes_.subspan(8, length)), what_ + ": header",
                           {.max_bytes = kMaxHeader, .max_depth = 4});
    if (!json.is_object()) fail("header is not an object");
    return json;
  }

  SafetensorsEntry entry(const std::string& name, const Json& json) {
    const std::string at = what_ + ": tensor \"" + name + "\"";
    SafetensorsEntry out;
    out.dtype = json_string(json, "dtype", at);
    const std::optional<uint64_t> width = dtype_bytes(out.dtype);
    if (!width) tensor_fail(name, "unknown dtype \"" + out.dtype + "\"");
    const Json& shape = json_member(json, "shape", at);
    if (!shape.is_array() || shape.size() > kMaxDimensions) tensor_fail(name, "broken shape");
    uint64_t elements = 1;
    for (const Json& size : shape) {
      if (!size.is_number_unsigned()) tensor_fail(name, "broken shape");
      out.shape.push_back(size.get<uint64_t>());
      if (__builtin_mul_overflow(elements, out.shape.back(), &elements)) {
        tensor_fail(name, "impossible shape");
      }
    }
    uint64_t size = 0;
    if (__builtin_mul_overflow(elements, *width, &size)) tensor_fail(name, "impossible shape");
    const Json& offsets = json_member(json, "data_offsets", at);
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      tensor_fail(name, "broken data_offsets");
    }
    const uint64_t begin = offsets[0].get<uint64_t>();
    const uint64_t end = offsets[1].get<uint64_t>();
    if (begin > end || end > data_.size()) {
      tensor_fail(name, "data_offsets [" + std::to_string(begin) + "," + std::to_string(end) +
                            "] lie beyond the " + std::to_string(data_.size()) +
                            " bytes of data; the file is truncated or damaged");
    }
    if (end - begin != size) {
      tensor_fail(name, "has " + std::to_string(end - begin) + " bytes, but its shape needs " +
                            std::to_string(size));
    }
    out.data = data_.subspan(begin, size);
    return out;
  }

  // The data must be tiled exactly: what no tensor owns could hide anything.
  void check_tiling(const std::map<std::string, SafetensorsEntry, std::less<>>& tensors) const {
    std::vector<Range> ranges;
    for (const auto& [name, e] : tensors) {
      const uint64_t begin = static_cast<uint64_t>(e.data.data() - data_.data());
      ranges.push_back({begin, begin + e.data.size(), &name});
    }
    std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    uint64_t end = 0;
    for (const Range& r : ranges) {
      if (r.begin < end) tensor_fail(*r.name, "overlaps another tensor");
      if (r.begin > end) tensor_fail(*r.name, "has bytes before it that belong to no tensor");
      end = r.end;
    }
    if (end != data_.size()) {
      fail("has " + std::to_string(data_.size() - end) + " bytes after its last tensor");
    }
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorCode::kBadInput, what_ + ": " + why, "download or create the file again");
  }
  [[noreturn]] void tensor_fail(const std::string& name, const std::string& why) const {
    fail("tensor \"" + name + "\": " + why);
  }

 private:
  ByteView bytes_;
  ByteView data_;
  const std::string& what_;
};

}  // namespace

SafetensorsView::SafetensorsView(ByteView bytes, std::string what) : what_(std::move(what)) {
  Parser parser(bytes, what_);
  const Json header = parser.header();
  for (const auto& [name, value] : header.items()) {
    if (name != "__metadata__") {
      tensors_.emplace(name, parser.entry(name, value));
      continue;
    }
    if (!value.is_object()) parser.fail("__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) parser.fail("__metadata__ \"" + key + "\" is not a string");
      metadata_[key] = text.get<std::string>();
    }
  }
  parser.check_tiling(tensors_);
}

std::vector<float> SafetensorsView::read_f32(std::string_view name) const {
  const std::string at = what_ + ": tensor \"" + std::string(name) + "\"";
  auto it = tensors_.find(name);
  if (it == tensors_.end()) throw Error(ErrorCode::kBadInput, at + " is missing");
  const SafetensorsEntry& e = it->second;
  for (DType dtype : {DType::kF32, DType::kF16, DType::kBF16}) {
    if (dtype_name(dtype) != e.dtype) continue;
    std::vector<float> out(e.data.size() / block_bytes(dtype));
    if (!out.empty()) dequantise(dtype, e.data.data(), out.data(), out.size());
    return out;
  }
  throw Error(ErrorCode::kBadInput, at + " is " + e.dtype + ", expected F32, F16 or BF16");
}

Bytes write_safetensors(const std::map<std::string, SafetensorsTensor>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  // nlohmann's objects are sorted and dump() writes no spaces, so the text is determined.
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    uint64_t elements = 1;
    for (uint64_t size : tensor.shape) elements *= size;
    if (elements != tensor.data.size()) {
      throw Error(ErrorCode::kInternal, "tensor " + name + ": shape and data differ");
    }
    header[name] = {{"dtype", "F32"},
                    {"shape", tensor.shape},
                    {"data_offsets", {offset, offset + 4 * elements}}};
    offset += 4 * elements;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  Bytes out(8);
  out.reserve(8 + text.size() + offset);
  put_le64(out.data(), text.size());
  append(out, as_bytes(text));
  for (const auto& [name, tensor] : tensors) {
    append(out, {reinterpret_cast<const uint8_t*>(tensor.data.data()), 4 * tensor.data.size()});
  }
  return out;
}

}  // namespace ffe::lm
