// A model on disk: a Hugging Face folder or a GGUF file, memory-mapped, one view of both.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "lm/dtype.hpp"
#include "lm/model_config.hpp"

namespace ffe::lm {

class GgufFile;

// Row-major as Hugging Face writes it: {rows, columns} for a matrix, {n} for a vector.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<uint64_t> shape;

  uint64_t rows() const { return shape.size() < 2 ? 1 : shape.front(); }
  uint64_t columns() const { return shape.empty() ? 0 : shape.back(); }
  uint64_t elements() const { return rows() * columns(); }
};

// Names are Hugging Face's whatever the source: model.embed_tokens.weight, model.norm.weight,
// model.layers.N.{input_layernorm,post_attention_layernorm}.weight,
// model.layers.N.self_attn.{q,k,v,o}_proj.{weight,bias}, …self_attn.{q,k}_norm.weight,
// model.layers.N.mlp.{gate,up,down}_proj.weight and, unless the embeddings are tied,
// lm_head.weight. Rows of q and k are in Hugging Face's order (rotary halves), un-permuted from
// GGUF where needed.
//
// Construction maps the files and checks headers, offsets, overlaps, and that every tensor which
// the configuration asks for is there with its shape; it reads no weights. Const members are
// thread-safe.
class ModelFile {
 public:
  // `path`: a folder with config.json and *.safetensors, or a .gguf file. Throws Error: kIo if it
  // cannot be read, kBadInput if it is broken, kUnsupported if well-formed but not handled.
  static ModelFile open(const std::filesystem::path& path);
  ModelFile(ModelFile&&) noexcept;
  ModelFile& operator=(ModelFile&&) noexcept;
  ~ModelFile();

  const ModelConfig& config() const;
  const std::filesystem::path& path() const;
  const GgufFile* gguf() const;  // null for a folder

  bool has(std::string_view name) const;
  const TensorInfo& tensor_info(std::string_view name) const;  // throws kBadInput: no such tensor
  std::vector<std::string> tensor_names() const;               // sorted

  // Dequantised, in parallel where it pays. `out` has exactly elements() values.
  void read_f32(std::string_view name, std::span<float> out) const;
  // Rows [first_row, first_row + out.size() / columns()).
  void read_rows_f32(std::string_view name, uint64_t first_row, std::span<float> out) const;

  // One row's bytes as they are in the file; for a matrix.
  ByteView raw_row(std::string_view name, uint64_t row) const;

  // Throws Error{kBadInput} naming the first tensor with a NaN or an infinity. Reads every weight.
  void check_finite() const;

  // The tokenizer's and the chat template's source text, where the model has one (tokenizer.json;
  // chat_template.jinja, tokenizer_config.json or GGUF metadata); empty otherwise.
  std::string chat_template_text() const;

  // {"files":[{"name","sha256","size"}…]} sorted by name: config.json, the weights and the
  // tokenizer's files. Streams each file once; the result is kept.
  const Json& manifest() const;
  // SHA-256 of the manifest's canonical JSON for a folder; of the file itself for a GGUF.
  H256 sha256() const;

 private:
  struct Impl;
  explicit ModelFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The file that `make setup` fetches: $FFE_MODEL, else the user's cache folder's
// models/smollm2-135m-instruct-q4_1.gguf. Empty if there is none.
std::filesystem::path default_model_path();

}  // namespace ffe::lm
