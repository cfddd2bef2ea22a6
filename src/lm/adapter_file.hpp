// A LoRA adapter on disk, as PEFT 0.21 and llama.cpp read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "lm/model_config.hpp"

namespace ffe::lm {

// The seven projections that LoRA may adapt, in the order of the forward pass.
enum class Projection : uint8_t { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr size_t kProjections = 7;
std::string_view projection_name(Projection projection);          // "q_proj"
Projection projection_from_name(std::string_view name);           // throws Error{kUsage}
std::string projection_module(uint32_t layer, Projection which);  // "model.layers.3.mlp.up_proj"
uint32_t projection_rows(const ModelConfig& config, Projection which);     // outputs
uint32_t projection_columns(const ModelConfig& config, Projection which);  // inputs

// y = W x + (alpha / rank) · B (A x)
struct LoraMatrices {
  std::vector<float> a;  // [rank, columns]
  std::vector<float> b;  // [rows, rank]

  bool operator==(const LoraMatrices&) const = default;
};

struct LoraAdapter {
  uint32_t rank = 0;
  double alpha = 0;
  double dropout = 0;
  std::string base_model;                       // base_model_name_or_path; may be empty
  std::vector<Projection> targets;              // sorted, without repetition
  std::map<std::string, LoraMatrices> modules;  // by projection_module(): every layer × target

  double scale() const { return alpha / rank; }
  bool operator==(const LoraAdapter&) const = default;
};

// Name → content of adapter_model.safetensors, adapter_config.json and README.md. Equal adapters
// give equal bytes.
std::map<std::string, Bytes> peft_files(const LoraAdapter& adapter, std::string_view model_card);

// Writes them into `folder`, which is created if absent.
void write_peft_folder(const std::filesystem::path& folder, const LoraAdapter& adapter,
                       std::string_view model_card);

// Reads a folder or in-memory files and checks every name and shape against the base model. Throws
// Error{kBadInput} naming file and tensor or field; kUnsupported for PEFT features that change the
// forward pass (DoRA, rank patterns, biases, …).
LoraAdapter read_peft_folder(const std::filesystem::path& folder, const ModelConfig& config);
LoraAdapter parse_peft_files(ByteView safetensors, std::string_view adapter_config,
                             const ModelConfig& config, std::string_view what);

// The same adapter as a GGUF file for llama.cpp (`--lora`), F32.
Bytes gguf_adapter(const LoraAdapter& adapter, const ModelConfig& config);

}  // namespace ffe::lm
