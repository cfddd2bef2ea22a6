// What is trained and on what (docs/spec/session.md): recipe and base-model manifest. Both travel
// as canonical JSON whose keccak256 stands in the terms.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"

namespace ffe::session {

// The trainer's names.
inline constexpr const char* kEnclaveTrainer = "enclave";
inline constexpr const char* kComputeTrainer = "0g-compute";

// Trainer "0g-compute": who trains outside the enclave, and sees the accepted rows. Fixed in the
// terms, so that neither chain nor host can put another one in its place.
struct ComputeProvider {
  Address provider;         // its account at 0G Compute
  Address signer;           // of its enclave, as the chain named it when the session was opened
  std::string url;          // where it serves; https, except on local networks
  H256 base_model;          // what 0G Compute calls the model: preTrainedModelHash
  evm::U256 max_fee;        // wei: a task that costs more is cancelled
  uint32_t batch_size = 2;  // 1..4
  uint32_t max_steps = 0;   // 0: by epochs

  bool operator==(const ComputeProvider&) const = default;
};

// Everything that changes a weight, besides model, rows and seed. Fractions are integers.
struct Recipe {
  std::string trainer = kEnclaveTrainer;  // or kComputeTrainer: the union leaves the enclave
  std::string numeric_path = "f32";       // amx-bf16, avx512-bf16, f32, bf16-emulated
  uint32_t rank = 8;                      // 1..256
  uint32_t alpha = 16;                    // 1..1024
  uint32_t dropout_micro = 0;             // below 1 000 000
  std::vector<std::string> targets = {"q", "k", "v", "o", "gate", "up", "down"};  // in this order
  uint32_t learning_rate_nano = 1'000'000;                                        // 1e-3
  std::string schedule = "cosine";  // cosine, linear, constant
  uint32_t warmup_steps = 3;
  uint32_t weight_decay_micro = 0;
  uint32_t clip_micro = 1'000'000;         // gradient norm
  uint32_t epochs = 1;                     // 1..100
  uint32_t tokens_per_step = 1024;         // 1..1 048 576
  uint32_t sequence_length = 512;          // 8..131 072; not above tokens_per_step
  std::string loss = "answers";            // on answers only; "text" at a provider
  std::string system_prompt = "none";      // or "model": the template's own default
  std::optional<ComputeProvider> compute;  // with trainer "0g-compute", and only then

  bool operator==(const Recipe&) const = default;
};

// Whether the accepted rows leave the enclave.
inline bool leaves_enclave(const Recipe& recipe) {
  return recipe.trainer == kComputeTrainer;
}
// What a 0G Compute provider does to every task, in the members that it fixes: rank 8, alpha 32 and
// so on. The others stay.
Recipe as_provider_trains(Recipe recipe);
// One sentence for contributors: who will see their rows. Empty with trainer "enclave".
std::string who_sees_rows(const Recipe& recipe);

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
