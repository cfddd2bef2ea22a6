#include "lm/weights.hpp"

#include <atomic>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "lm/gguf.hpp"
#include "lm/mapped_file.hpp"
#include "lm/parallel.hpp"
#include "lm/safetensors.hpp"
#include "lm/tensor_layout.hpp"

namespace ffe::lm {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxConfigBytes = 4u << 20;
constexpr size_t kMaxIndexBytes = 64u << 20;
// Below this many weights, starting threads costs more than it saves.
constexpr uint64_t kParallelElements = 1u << 17;

struct Source {
  TensorInfo info;
  ByteView data;
  std::string file;
  bool interleaved = false;  // rows as interleaved_row() says
};
using Sources = std::map<std::string, Source, std::less<>>;

[[noreturn]] void bad(const std::string& what, const std::string& why, std::string hint = {}) {
  throw Error(ErrorCode::kBadInput, what + ": " + why, std::move(hint));
}

bool file_exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    out += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  }
  return out + "]";
}

std::string at_tensor(const std::string& file, std::string_view name) {
  return file + ": tensor \"" + std::string(name) + "\"";
}

// Every tensor that the configuration asks for is there in its shape, and no other: an extra one
// means that the configuration describes another model.
void check_against(const ModelConfig& config, Sources& sources, const std::string& what) {
  auto expected = expected_tensors(config);
  if (config.tie_embeddings) sources.erase("lm_head.weight");
  for (const auto& [name, shape] : expected) {
    auto it = sources.find(name);
    if (it == sources.end()) {
      bad(what, "tensor \"" + name + "\" is missing",
          "the file is incomplete, or its configuration describes another model");
    }
    if (it->second.info.shape != shape) {
      bad(it->second.file, "tensor \"" + name + "\" has shape " +
                               shape_text(it->second.info.shape) + ", the configuration says " +
                               shape_text(shape));
    }
  }
  for (const auto& [name, source] : sources) {
    if (!expected.contains(name)) {
      throw Error(ErrorCode::kUnsupported,
                  at_tensor(source.file, name) + " has no place in a model of type " +
                      std::string(architecture_name(config.architecture)),
                  "the configuration describes another model");
    }
  }
}

// Exponents of all ones are infinities and NaNs. Written so that it is vectorised.
bool all_finite(const float* values, uint64_t count) {
  uint32_t broken = 0;
  for (uint64_t i = 0; i < count; ++i) {
    broken |= (std::bit_cast<uint32_t>(values[i]) & 0x7f800000u) == 0x7f800000u;
  }
  return broken == 0;
}

bool ignorable(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq");
}

void add_safetensors(const MappedFile& file, Sources& sources) {
  const std::string what = file.path().filename().string();
  const SafetensorsView view(file.bytes(), what);
  for (const auto& [name, entry] : view.tensors()) {
    if (ignorable(name)) continue;
    Source source;
    source.file = what;
    source.info.name = name;
    source.info.shape = entry.shape;
    source.data = entry.data;
    if (entry.dtype == "F32") {
      source.info.dtype = DType::kF32;
    } else if (entry.dtype == "F16") {
      source.info.dtype = DType::kF16;
    } else if (entry.dtype == "BF16") {
      source.info.dtype = DType::kBF16;
    } else {
      throw Error(
          ErrorCode::kUnsupported,
          at_tensor(what, name) + " has dtype " + entry.dtype + "; F32, F16 and BF16 are supported",
          "use the model's full-precision files, or a GGUF of it");
    }
    if (!sources.emplace(name, std::move(source)).second) {
      bad(what, "tensor \"" + name + "\" is in another file of the model, too");
    }
  }
}

Sources gguf_sources(const GgufFile& gguf, const ModelConfig& config) {
  Sources out;
  for (const auto& [name, type] : gguf.foreign_tensors()) {
    throw Error(ErrorCode::kUnsupported,
                at_tensor(gguf.what(), name) + " has GGML " + type +
                    "; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K and Q6_K are supported",
                "use another quantisation of the model");
  }
  for (const auto& [name, tensor] : gguf.tensors()) {
    if (name == "rope_freqs.weight") continue;
    Source source;
    source.file = gguf.what();
    source.info.name = hf_name_from_gguf(name).value_or(name);
    source.info.dtype = tensor.dtype;
    source.info.shape = tensor.shape;
    source.data = tensor.data;
    const bool qk =
        name.find(".attn_q.") != std::string::npos || name.find(".attn_k.") != std::string::npos;
    source.interleaved = qk && config.architecture == Architecture::kLlama;
    if (source.interleaved && tensor.shape.size() == 1 && block_elements(tensor.dtype) != 1) {
      throw Error(ErrorCode::kUnsupported, at_tensor(gguf.what(), name) + ": quantised bias");
    }
    std::string key = source.info.name;
    if (!out.emplace(std::move(key), std::move(source)).second) {
      bad(gguf.what(), "tensor \"" + name + "\" is there under two names");
    }
  }
  return out;
}

// File names of an index must stay inside the folder.
bool plain_file_name(const std::string& name) {
  return !name.empty() && name.size() < 256 && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name.ends_with(".safetensors");
}

std::vector<std::string> shard_names(const fs::path& folder) {
  if (file_exists(folder / "model.safetensors")) return {"model.safetensors"};
  const fs::path index = folder / "model.safetensors.index.json";
  if (!file_exists(index)) {
    bad(folder.string(), "has neither model.safetensors nor model.safetensors.index.json",
        "a model folder holds config.json, tokenizer.json and *.safetensors");
  }
  const std::string what = "model.safetensors.index.json";
  const Json json = parse_json(read_text_file(index, kMaxIndexBytes), what, {.max_depth = 8});
  const Json& map = json_member(json, "weight_map", what);
  if (!map.is_object()) bad(what, "weight_map is not an object");
  std::map<std::string, bool> names;
  for (const auto& [tensor, file] : map.items()) {
    if (!file.is_string() || !plain_file_name(file.get<std::string>())) {
      bad(what, "weight_map \"" + tensor + "\" names no .safetensors file of this folder");
    }
    names[file.get<std::string>()] = true;
  }
  if (names.size() > 4096) bad(what, "weight_map names too many files");
  std::vector<std::string> out;
  for (const auto& [name, used] : names) out.push_back(name);
  return out;
}

Json hash_file(const fs::path& path) {
  const MappedFile file(path);
  crypto::Sha256 hash;
  constexpr size_t kChunk = 1u << 20;
  for (size_t at = 0; at < file.bytes().size(); at += kChunk) {
    hash.update(file.bytes().subspan(at, std::min(kChunk, file.bytes().size() - at)));
  }
  return {{"name", path.filename().string()},
          {"sha256", to_hex(hash.finish())},
          {"size", file.bytes().size()}};
}

// "chat_template" of tokenizer_config.json: a text, or a list of named ones.
std::string template_of(const Json& config) {
  auto it = config.find("chat_template");
  if (it == config.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) return {};
  for (const Json& entry : *it) {
    if (entry.is_object() && entry.value("name", Json()) == "default" &&
        entry.value("template", Json()).is_string()) {
      return entry["template"].get<std::string>();
    }
  }
  return {};
}

}  // namespace

struct ModelFile::Impl {
  fs::path path;
  std::vector<MappedFile> files;
  std::vector<std::string> shards;  // of a folder
  std::unique_ptr<GgufFile> gguf;
  ModelConfig config;
  Sources sources;
  mutable std::mutex manifest_mutex;
  mutable Json manifest;

  const Source& source(std::string_view name) const {
    auto it = sources.find(name);
    if (it == sources.end()) {
      bad(path.filename().string(), "has no tensor \"" + std::string(name) + "\"");
    }
    return it->second;
  }

  void open_gguf() {
    files.emplace_back(path);
    gguf = std::make_unique<GgufFile>(files[0].bytes(), path.filename().string());
    config = ModelConfig::from_gguf(*gguf);
    sources = gguf_sources(*gguf, config);
    check_against(config, sources, gguf->what());
  }

  void open_folder() {
    const Json json =
        parse_json(read_text_file(path / "config.json", kMaxConfigBytes), "config.json");
    config = ModelConfig::from_hf(json, "config.json");
    shards = shard_names(path);
    for (const std::string& name : shards) {
      files.emplace_back(path / name);
      add_safetensors(files.back(), sources);
    }
    check_against(config, sources, path.string());
  }

  Json make_manifest() const {
    std::vector<std::string> names;
    if (gguf != nullptr) {
      return {{"files", Json::array({hash_file(path)})}};
    }
    for (const char* name : {"chat_template.jinja", "config.json", "model.safetensors.index.json",
                             "tokenizer.json", "tokenizer_config.json"}) {
      if (file_exists(path / name)) names.emplace_back(name);
    }
    names.insert(names.end(), shards.begin(), shards.end());
    std::sort(names.begin(), names.end());
    Json list = Json::array();
    for (const std::string& name : names) list.push_back(hash_file(path / name));
    return {{"files", list}};
  }
};

ModelFile::ModelFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelFile::ModelFile(ModelFile&&) noexcept = default;
ModelFile& ModelFile::operator=(ModelFile&&) noexcept = default;
ModelFile::~ModelFile() = default;

ModelFile ModelFile::open(const fs::path& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    impl->open_folder();
  } else {
    impl->open_gguf();
  }
  if (impl->config.name.empty()) {
    const fs::path absolute = fs::absolute(path).lexically_normal();
    const fs::path last = absolute.has_filename() ? absolute : absolute.parent_path();
    impl->config.name = impl->gguf ? last.stem().string() : last.filename().string();
  }
  return ModelFile(std::move(impl));
}

const ModelConfig& ModelFile::config() const {
  return impl_->config;
}
const fs::path& ModelFile::path() const {
  return impl_->path;
}
const GgufFile* ModelFile::gguf() const {
  return impl_->gguf.get();
}

bool ModelFile::has(std::string_view name) const {
  return impl_->sources.find(name) != impl_->sources.end();
}

const TensorInfo& ModelFile::tensor_info(std::string_view name) const {
  return impl_->source(name).info;
}

std::vector<std::string> ModelFile::tensor_names() const {
  std::vector<std::string> out;
  for (const auto& [name, source] : impl_->sources) out.push_back(name);
  return out;
}

void ModelFile::read_f32(std::string_view name, std::span<float> out) const {
  if (out.size() != tensor_info(name).elements()) {
    throw Error(ErrorCode::kInternal, "read_f32(" + std::string(name) + "): wrong size of output");
  }
  read_rows_f32(name, 0, out);
}

void ModelFile::read_rows_f32(std::string_view name, uint64_t first_row,
                              std::span<float> out) const {
  const Source& s = impl_->source(name);
  // Reordering the rows of a bias moves single values.
  const bool bias = s.interleaved && s.info.shape.size() == 1;
  const uint64_t columns = bias ? 1 : s.info.columns();
  const uint64_t rows = bias ? s.info.columns() : s.info.rows();
  const uint64_t wanted = out.size() / columns;
  if (out.size() % columns != 0 || first_row > rows || wanted > rows - first_row) {
    throw Error(ErrorCode::kInternal,
                "read_rows_f32(" + std::string(name) + "): rows outside the tensor");
  }
  const uint64_t row_bytes = columns / block_elements(s.info.dtype) * block_bytes(s.info.dtype);
  const uint64_t head_dim = impl_->config.head_dim;
  const int threads =
      out.size() < kParallelElements ? 1 : static_cast<int>(std::thread::hardware_concurrency());
  std::atomic<bool> finite = true;
  parallel_rows(threads, wanted, [&](uint64_t r) {
    uint64_t row = first_row + r;
    if (s.interleaved) row = interleaved_row(row, head_dim);
    float* values = out.data() + r * columns;
    dequantise(s.info.dtype, s.data.data() + row * row_bytes, values, columns);
    if (!all_finite(values, columns)) finite.store(false, std::memory_order_relaxed);
  });
  if (!finite) {
    bad(s.file, "tensor \"" + std::string(name) + "\" has a value that is not a number or infinite",
        "the model file is damaged");
  }
}

ByteView ModelFile::raw_row(std::string_view name, uint64_t row) const {
  const Source& s = impl_->source(name);
  if (row >= s.info.rows()) {
    throw Error(ErrorCode::kInternal, "raw_row(" + std::string(name) + "): outside the tensor");
  }
  if (s.interleaved) row = interleaved_row(row, impl_->config.head_dim);
  const uint64_t row_bytes =
      s.info.columns() / block_elements(s.info.dtype) * block_bytes(s.info.dtype);
  return s.data.subspan(row * row_bytes, row_bytes);
}

void ModelFile::check_finite() const {
  std::vector<float> buffer;
  for (const auto& [name, s] : impl_->sources) {
    const uint64_t columns = s.info.columns();
    const uint64_t step = std::max<uint64_t>(1, (uint64_t{1} << 22) / columns);
    for (uint64_t row = 0; row < s.info.rows(); row += step) {
      buffer.resize(std::min(step, s.info.rows() - row) * columns);
      read_rows_f32(name, row, buffer);  // which checks what it reads
    }
  }
}

std::string ModelFile::chat_template_text() const {
  if (impl_->gguf) {
    return std::string(impl_->gguf->find_string("tokenizer.chat_template").value_or(""));
  }
  const fs::path own = impl_->path / "chat_template.jinja";
  if (file_exists(own)) return read_text_file(own, kMaxConfigBytes);
  const fs::path config = impl_->path / "tokenizer_config.json";
  if (!file_exists(config)) return {};
  const Json json = parse_json(read_text_file(config, kMaxConfigBytes), "tokenizer_config.json");
  return json.is_object() ? template_of(json) : std::string();
}

const Json& ModelFile::manifest() const {
  std::lock_guard lock(impl_->manifest_mutex);
  if (impl_->manifest.is_null()) impl_->manifest = impl_->make_manifest();
  return impl_->manifest;
}

H256 ModelFile::sha256() const {
  const Json& list = manifest();
  if (impl_->gguf) return h256_from_hex(list["files"][0]["sha256"].get<std::string>());
  return crypto::sha256(as_bytes(canonical_json(list)));
}

fs::path default_model_path() {
  if (const char* set = std::getenv("FFE_MODEL"); set != nullptr && set[0] != '\0') return set;
  const fs::path cached = cache_dir() / "models" / "smollm2-135m-instruct-q4_1.gguf";
  return file_exists(cached) ? cached : fs::path();
}

}  // namespace ffe::lm
