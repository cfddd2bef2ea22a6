#include "lm/gguf.hpp"

#include <bit>

namespace ffe::lm {
namespace {

enum : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kTypes
};
constexpr size_t kScalarBytes[kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

constexpr uint64_t kMaxKeys = 1u << 16;
constexpr uint64_t kMaxTensors = 1u << 18;
constexpr uint64_t kMaxName = 1u << 10;
constexpr uint32_t kMaxArrayDepth = 4;

std::optional<DType> ggml_type(uint32_t type) {
  switch (type) {
    case 0:
      return DType::kF32;
    case 1:
      return DType::kF16;
    case 2:
      return DType::kQ4_0;
    case 3:
      return DType::kQ4_1;
    case 8:
      return DType::kQ8_0;
    case 12:
      return DType::kQ4_K;
    case 14:
      return DType::kQ6_K;
    case 30:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

uint64_t get_le(ByteView bytes) {
  uint64_t v = 0;
  for (size_t i = bytes.size(); i-- > 0;) v = v << 8 | bytes[i];
  return v;
}

int64_t sign_extend(uint64_t v, size_t bytes) {
  const int shift = static_cast<int>(64 - 8 * bytes);
  return static_cast<int64_t>(v << shift) >> shift;
}

bool is_signed(uint32_t type) {
  return type == kI8 || type == kI16 || type == kI32 || type == kI64;
}
bool is_unsigned(uint32_t type) {
  return type == kU8 || type == kU16 || type == kU32 || type == kU64;
}

std::string printable(std::string_view name) {
  std::string out;
  for (char c : name.substr(0, 80)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

}  // namespace

// A cursor that never passes the end and knows what it was reading when it stopped.
class GgufParser {
 public:
  GgufParser(ByteView bytes, GgufFile& file) : bytes_(bytes), file_(file) {}

  void run() {
    context_ = "header";
    if (as_text(take(4)) != "GGUF") fail("is not a GGUF file (magic)");
    const uint32_t version = u32();
    if (version != 2 && version != 3) {
      throw Error(ErrorCode::kUnsupported,
                  file_.what_ + ": GGUF version " + std::to_string(version) + " is not supported",
                  "convert the model with a current llama.cpp");
    }
    const uint64_t tensors = u64();
    const uint64_t keys = u64();
    if (tensors > kMaxTensors) fail("tensor count " + std::to_string(tensors) + " is too large");
    if (keys > kMaxKeys) fail("metadata count " + std::to_string(keys) + " is too large");
    for (uint64_t i = 0; i < keys; ++i) read_value();
    for (uint64_t i = 0; i < tensors; ++i) read_tensor();
    place_tensors();
  }

 private:
  struct Placement {
    uint64_t offset;
    uint64_t size;
    std::string name;
  };

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorCode::kBadInput, file_.what_ + ": " + why,
                "download or convert the file again");
  }

  ByteView take(uint64_t n) {
    if (n > bytes_.size() - pos_) {
      fail("ends within " + context_ + " (offset " + std::to_string(pos_) + ")");
    }
    ByteView out = bytes_.subspan(pos_, n);
    pos_ += n;
    return out;
  }
  uint32_t u32() { return get_le32(take(4).data()); }
  uint64_t u64() { return get_le64(take(8).data()); }
  std::string_view text() { return as_text(take(u64())); }

  std::string name(const char* kind) {
    std::string_view n = text();
    if (n.size() > kMaxName) fail(std::string(kind) + " name is too long");
    return std::string(n);
  }

  // Moves over one value of `type` and returns its bytes (a string without its length).
  ByteView skip(uint32_t type, uint32_t depth, uint32_t* element_type, uint64_t* count) {
    if (type >= kTypes) fail(context_ + " has unknown type " + std::to_string(type));
    if (type == kString) return as_bytes(text());
    if (type != kArray) return take(kScalarBytes[type]);
    if (depth >= kMaxArrayDepth) fail(context_ + " is nested too deeply");
    const uint32_t inner = u32();
    const uint64_t n = u64();
    if (inner >= kTypes) fail(context_ + " has unknown element type " + std::to_string(inner));
    // Every element takes at least one byte, so a count beyond the rest of the file is a lie.
    if (n > bytes_.size() - pos_) fail(context_ + " is longer than the file");
    if (element_type != nullptr) *element_type = inner;
    if (count != nullptr) *count = n;
    const size_t start = pos_;
    if (inner == kString || inner == kArray) {
      for (uint64_t i = 0; i < n; ++i) skip(inner, depth + 1, nullptr, nullptr);
    } else {
      take(n * kScalarBytes[inner]);
    }
    return bytes_.subspan(start, pos_ - start);
  }

  void read_value() {
    context_ = "a metadata key";
    std::string key = name("metadata");
    context_ = "metadata \"" + printable(key) + "\"";
    GgufFile::Value value;
    value.type = u32();
    value.payload = skip(value.type, 0, &value.element_type, &value.count);
    if (!file_.values_.emplace(std::move(key), value).second) fail(context_ + " is there twice");
  }

  void read_tensor() {
    context_ = "the list of tensors";
    std::string tensor_name = name("tensor");
    context_ = "tensor \"" + printable(tensor_name) + "\"";
    const uint32_t dimensions = u32();
    if (dimensions == 0 || dimensions > 4) {
      fail(context_ + " has " + std::to_string(dimensions) + " dimensions");
    }
    GgufFile::Tensor tensor;
    tensor.name = tensor_name;
    uint64_t elements = 1;
    for (uint32_t i = 0; i < dimensions; ++i) {
      const uint64_t size = u64();
      if (size == 0 || size > (uint64_t{1} << 40) / elements) {
        fail(context_ + " has an impossible shape");
      }
      elements *= size;
      tensor.shape.insert(tensor.shape.begin(), size);
    }
    const uint32_t type = u32();
    const uint64_t offset = u64();
    const std::optional<DType> dtype = ggml_type(type);
    if (file_.tensors_.contains(tensor_name) || file_.foreign_.contains(tensor_name)) {
      fail(context_ + " is there twice");
    }
    if (!dtype) {
      file_.foreign_[tensor_name] = "type " + std::to_string(type);
      return;
    }
    tensor.dtype = *dtype;
    if (tensor.shape.back() % block_elements(*dtype) != 0) {
      fail(context_ + ": rows of " + std::to_string(tensor.shape.back()) +
           " weights are no whole blocks of " + std::string(dtype_name(*dtype)));
    }
    const uint64_t size = elements / block_elements(*dtype) * block_bytes(*dtype);
    placements_.push_back({offset, size, tensor_name});
    file_.tensors_.emplace(std::move(tensor_name), std::move(tensor));
  }

  void place_tensors() {
    const uint64_t alignment = file_.find_uint("general.alignment").value_or(32);
    if (alignment == 0 || alignment > 65536 || !std::has_single_bit(alignment)) {
      fail("general.alignment " + std::to_string(alignment) + " is no power of two");
    }
    const uint64_t start = (pos_ + alignment - 1) / alignment * alignment;
    const uint64_t available = bytes_.size() > start ? bytes_.size() - start : 0;
    std::sort(placements_.begin(), placements_.end(), [](const Placement& a, const Placement& b) {
      return a.offset != b.offset ? a.offset < b.offset : a.name < b.name;
    });
    uint64_t end = 0;
    for (const Placement& p : placements_) {
      const std::string which = "tensor \"" + printable(p.name) + "\"";
      if (p.offset % alignment != 0) fail(which + " is not aligned");
      if (p.offset > available || p.size > available - p.offset) {
        fail(which + " lies beyond the end of the file");
      }
      if (p.offset < end) fail(which + " overlaps another");
      end = p.offset + p.size;
      file_.tensors_.find(p.name)->second.data = bytes_.subspan(start + p.offset, p.size);
    }
  }

  ByteView bytes_;
  GgufFile& file_;
  size_t pos_ = 0;
  std::string context_;
  std::vector<Placement> placements_;
};

GgufFile::GgufFile(ByteView bytes, std::string what) : what_(std::move(what)) {
  GgufParser(bytes, *this).run();
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
  auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

const GgufFile::Value& GgufFile::get(std::string_view key) const {
  const Value* v = find(key);
  if (v == nullptr) {
    throw Error(ErrorCode::kBadInput, what_ + ": has no metadata \"" + std::string(key) + "\"");
  }
  return *v;
}

const GgufFile::Value& GgufFile::get_array(std::string_view key) const {
  const Value& v = get(key);
  if (v.type != kArray) wrong_type(key, "an array");
  return v;
}

void GgufFile::wrong_type(std::string_view key, std::string_view wanted) const {
  throw Error(ErrorCode::kBadInput,
              what_ + ": metadata \"" + std::string(key) + "\" is not " + std::string(wanted));
}

std::optional<uint64_t> GgufFile::find_uint(std::string_view key) const {
  const Value* v = find(key);
  if (v == nullptr) return std::nullopt;
  const uint64_t raw = get_le(v->payload.first(std::min<size_t>(8, v->payload.size())));
  if (is_unsigned(v->type)) return raw;
  if (is_signed(v->type) && sign_extend(raw, kScalarBytes[v->type]) >= 0) return raw;
  wrong_type(key, "a whole number");
}

std::optional<double> GgufFile::find_float(std::string_view key) const {
  const Value* v = find(key);
  if (v == nullptr) return std::nullopt;
  const uint64_t raw = get_le(v->payload.first(std::min<size_t>(8, v->payload.size())));
  if (v->type == kF32) return std::bit_cast<float>(static_cast<uint32_t>(raw));
  if (v->type == kF64) return std::bit_cast<double>(raw);
  wrong_type(key, "a number");
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const Value* v = find(key);
  if (v == nullptr) return std::nullopt;
  if (v->type != kBool) wrong_type(key, "true or false");
  return v->payload[0] != 0;
}

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
  const Value* v = find(key);
  if (v == nullptr) return std::nullopt;
  if (v->type != kString) wrong_type(key, "a string");
  return as_text(v->payload);
}

uint64_t GgufFile::get_uint(std::string_view key) const {
  get(key);
  return *find_uint(key);
}

double GgufFile::get_float(std::string_view key) const {
  get(key);
  return *find_float(key);
}

std::string_view GgufFile::get_string(std::string_view key) const {
  get(key);
  return *find_string(key);
}

std::vector<std::string_view> GgufFile::get_strings(std::string_view key) const {
  const Value& v = get_array(key);
  if (v.element_type != kString) wrong_type(key, "an array of strings");
  std::vector<std::string_view> out;
  out.reserve(v.count);
  for (size_t pos = 0; out.size() < v.count;) {
    const uint64_t length = get_le64(v.payload.data() + pos);
    out.push_back(as_text(v.payload.subspan(pos + 8, length)));
    pos += 8 + length;
  }
  return out;
}

std::vector<int64_t> GgufFile::get_ints(std::string_view key) const {
  const Value& v = get_array(key);
  if (!is_signed(v.element_type) && !is_unsigned(v.element_type)) {
    wrong_type(key, "an array of whole numbers");
  }
  const size_t width = kScalarBytes[v.element_type];
  std::vector<int64_t> out;
  out.reserve(v.count);
  for (size_t i = 0; i < v.count; ++i) {
    const uint64_t raw = get_le(v.payload.subspan(i * width, width));
    out.push_back(is_signed(v.element_type) ? sign_extend(raw, width) : static_cast<int64_t>(raw));
  }
  return out;
}

std::vector<float> GgufFile::get_floats(std::string_view key) const {
  const Value& v = get_array(key);
  if (v.element_type != kF32) wrong_type(key, "an array of numbers");
  std::vector<float> out(v.count);
  if (v.count != 0) std::memcpy(out.data(), v.payload.data(), v.payload.size());
  return out;
}

}  // namespace ffe::lm
