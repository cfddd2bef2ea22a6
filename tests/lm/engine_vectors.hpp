// The cases under <vectors>/lm: small random models with what transformers and PEFT made of them.
#pragma once

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/json.hpp"
#include "lm/adapter_file.hpp"
#include "lm/example.hpp"
#include "lm/safetensors.hpp"
#include "lm/trainer.hpp"
#include "lm/weights.hpp"

namespace ffe::lm::testing {

inline std::vector<std::filesystem::path> vector_roots() {
  const std::filesystem::path source = FFE_SOURCE_DIR;
  std::vector<std::filesystem::path> roots = {source / "tests" / "vectors" / "lm"};
  const char* shared = std::getenv("FFE_VECTORS");
  roots.push_back((shared ? std::filesystem::path(shared) : source / ".." / "shared" / "vectors") /
                  "lm");
  return roots;
}

// Folders that hold an expected.json.
inline std::vector<std::filesystem::path> vector_cases() {
  std::vector<std::filesystem::path> cases;
  for (const auto& root : vector_roots()) {
    if (!std::filesystem::is_directory(root)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (std::filesystem::exists(entry.path() / "expected.json")) cases.push_back(entry.path());
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

// The folder itself is a model, or holds one.
inline std::filesystem::path model_of_case(const std::filesystem::path& folder) {
  const std::filesystem::path gguf = folder / "model.gguf";
  return std::filesystem::exists(gguf) ? gguf : folder;
}

struct VectorCase {
  explicit VectorCase(const std::filesystem::path& folder)
      : model(ModelFile::open(model_of_case(folder))),
        json(parse_json(read_text_file(folder / "expected.json"), "expected.json")),
        bytes(read_file(folder / "expected.safetensors")),
        tensors(bytes, "expected.safetensors") {
    const auto rows = json["rows"].get<std::vector<std::vector<int32_t>>>();
    const auto prompts = json["prompt_tokens"].get<std::vector<size_t>>();
    for (size_t i = 0; i < rows.size(); ++i) {
      Example example;
      example.tokens = rows[i];
      example.target.assign(rows[i].size(), 1);
      std::fill_n(example.target.begin(), prompts[i], uint8_t{0});
      examples.push_back(std::move(example));
    }
  }

  // The adapter whose matrices are the tensors "<prefix>.<PEFT name>".
  LoraAdapter adapter(const std::string& prefix) const {
    LoraAdapter result;
    const Json& lora = json["lora"];
    result.rank = lora["r"].get<uint32_t>();
    result.alpha = lora["alpha"].get<double>();
    for (const Json& name : lora["targets"]) {
      result.targets.push_back(projection_from_name(name.get<std::string>()));
    }
    std::sort(result.targets.begin(), result.targets.end());
    for (uint32_t layer = 0; layer < model.config().layers; ++layer) {
      for (Projection p : result.targets) {
        const std::string name = projection_module(layer, p);
        LoraMatrices& m = result.modules[name];
        m.a = tensors.read_f32(prefix + "." + name + ".lora_A.weight");
        m.b = tensors.read_f32(prefix + "." + name + ".lora_B.weight");
      }
    }
    return result;
  }

  std::vector<EvalItem> items(const LoraAdapter* adapter) const {
    std::vector<EvalItem> result;
    for (const Example& example : examples) result.push_back({adapter, &example});
    return result;
  }

  OptimizerConfig optimizer() const {
    const Json& train = json["train"];
    OptimizerConfig config;
    config.learning_rate = train["lr"].get<double>();
    config.weight_decay = train["weight_decay"].get<double>();
    config.clip = train["clip"].get<double>();
    config.warmup_steps = 3;
    config.total_steps = static_cast<uint32_t>(train["steps"].size());
    return config;
  }

  ModelFile model;
  Json json;
  Bytes bytes;
  SafetensorsView tensors;
  std::vector<Example> examples;
};

// |got - want| / |want| over all elements.
inline double relative_distance(std::span<const float> got, std::span<const float> want) {
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - want[i], 2);
    norm += std::pow(static_cast<double>(want[i]), 2);
  }
  if (got.size() != want.size()) return 1e30;
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

}  // namespace ffe::lm::testing
