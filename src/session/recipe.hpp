// What is trained and on what (docs/spec/session.md): recipe and base-model manifest. Both travel
// as canonical JSON whose keccak256 stands in the terms.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::session {

// Everything that changes a weight, besides model, rows and seed. Fractions are integers.
struct Recipe {
  std::string trainer = "enclave";   // or "0g-compute": the union leaves the enclave
  std::string numeric_path = "f32";  // amx-bf16, avx512-bf16, f32, bf16-emulated
  uint32_t rank = 8;                 // 1..256
  uint32_t alpha = 16;               // 1..1024
  uint32_t dropout_micro = 0;        // below 1 000 000
  std::vector<std::string> targets = {"q", "k", "v", "o", "gate", "up", "down"};  // in this order
  uint32_t learning_rate_nano = 1'000'000;                                        // 1e-3
  std::string schedule = "cosine";  // cosine, linear, constant
  uint32_t warmup_steps = 3;
  uint32_t weight_decay_micro = 0;
  uint32_t clip_micro = 1'000'000;     // gradient norm
  uint32_t epochs = 1;                 // 1..100
  uint32_t tokens_per_step = 1024;     // 1..1 048 576
  uint32_t sequence_length = 512;      // 8..131 072; not above tokens_per_step
  std::string loss = "answers";        // on answers only
  std::string system_prompt = "none";  // or "model": the template's own default

  bool operator==(const Recipe&) const = default;
};

// Throws Error{kBadInput} naming the member and its bounds.
void check(const Recipe& recipe);
// Canonical JSON ("format":"ffe.recipe.v1"), after check().
std::string to_text(const Recipe& recipe);
// Strict: every member once, no other member, in canonical form byte for byte.
Recipe parse_recipe(std::string_view text);

struct ModelFileEntry {
  std::string path;  // relative, '/' between parts, no "." or ".."
  H256 sha256;
  uint64_t size = 0;

  bool operator==(const ModelFileEntry&) const = default;
};

struct BaseModelManifest {
  std::string name;                   // for people: "SmolLM2-135M-Instruct Q4_1"
  std::vector<ModelFileEntry> files;  // sorted by path, at least one

  bool operator==(const BaseModelManifest&) const = default;
};

void check(const BaseModelManifest& manifest);
std::string to_text(const BaseModelManifest& manifest);  // "format":"ffe.model.v1"
BaseModelManifest parse_manifest(std::string_view text);

// From a .gguf file or a Hugging Face folder (config.json, *.safetensors, tokenizer.json, …).
BaseModelManifest manifest_of(const std::filesystem::path& model, std::string name);
// Throws Error{kCorrupt} naming the file whose size or hash differs, Error{kIo} for a missing one.
void verify_model(const BaseModelManifest& manifest, const std::filesystem::path& model);

// keccak256 of the text; what the terms hold.
H256 text_hash(std::string_view canonical_text);

}  // namespace ffe::session
