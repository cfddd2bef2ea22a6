#include "lm/adapter_file.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.hpp"
#include "base/json.hpp"
#include "lm/safetensors.hpp"

namespace ffe::lm {
namespace fs = std::filesystem;
namespace {

constexpr Projection kAll[] = {Projection::kQ,    Projection::kK,  Projection::kV,   Projection::kO,
                               Projection::kGate, Projection::kUp, Projection::kDown};
constexpr std::string_view kPrefix = "base_model.model.";
constexpr size_t kMaxConfigBytes = 1u << 20;

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why, "check that the adapter belongs to this base model");
}

[[noreturn]] void unsupported(const std::string& why) {
  throw Error(ErrorCode::kUnsupported, why, "only plain LoRA adapters are supported");
}

std::string tensor_name(const std::string& module, char which) {
  return std::string(kPrefix) + module + ".lora_" + which + ".weight";
}

// Every field that PEFT 0.21 writes for a plain LoRA adapter, with its value there.
Json config_json(const LoraAdapter& adapter) {
  Json targets = Json::array();
  for (Projection p : adapter.targets) targets.push_back(projection_name(p));
  Json config = {{"alpha_pattern", Json::object()},
                 {"base_model_name_or_path", nullptr},
                 {"bias", "none"},
                 {"ensure_weight_tying", false},
                 {"fan_in_fan_out", false},
                 {"inference_mode", true},
                 {"init_lora_weights", true},
                 {"loftq_config", Json::object()},
                 {"lora_bias", false},
                 {"lora_dropout", adapter.dropout},
                 {"megatron_core", "megatron.core"},
                 {"peft_type", "LORA"},
                 {"peft_version", "0.21.2"},
                 {"qalora_group_size", 16},
                 {"r", adapter.rank},
                 {"rank_pattern", Json::object()},
                 {"target_modules", targets},
                 {"task_type", "CAUSAL_LM"},
                 {"use_dora", false},
                 {"use_qalora", false},
                 {"use_rslora", false}};
  for (const char* unset :
       {"alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config",
        "exclude_modules", "kasa_config", "layer_replication", "layers_pattern",
        "layers_to_transform", "lora_ga_config", "megatron_config", "modules_to_save",
        "monteclora_config", "revision", "target_parameters", "trainable_token_indices",
        "use_bdlora", "velora_config"}) {
    config[unset] = nullptr;
  }
  if (!adapter.base_model.empty()) config["base_model_name_or_path"] = adapter.base_model;
  // vLLM and older PEFT take whole numbers only.
  if (adapter.alpha == std::floor(adapter.alpha) && std::abs(adapter.alpha) < 1e15) {
    config["lora_alpha"] = static_cast<int64_t>(adapter.alpha);
  } else {
    config["lora_alpha"] = adapter.alpha;
  }
  return config;
}

bool is_unset(const Json& config, std::string_view key) {
  auto it = config.find(key);
  return it == config.end() || it->is_null() || *it == false ||
         ((it->is_object() || it->is_array()) && it->empty());
}

std::vector<Projection> read_targets(const Json& config, const std::string& what) {
  const Json& list = json_member(config, "target_modules", what);
  if (!list.is_array() || list.empty()) unsupported(what + ": target_modules is not a list");
  std::set<Projection> targets;
  for (const Json& name : list) {
    if (!name.is_string()) bad(what + ": target_modules has an entry that is not a name");
    const std::string text = name.get<std::string>();
    const auto* it = std::find_if(std::begin(kAll), std::end(kAll),
                                  [&](Projection p) { return projection_name(p) == text; });
    if (it == std::end(kAll)) unsupported(what + ": target_modules \"" + text + "\"");
    targets.insert(*it);
  }
  return {targets.begin(), targets.end()};
}

double number(const Json& config, std::string_view key, const std::string& what) {
  const Json& v = json_member(config, key, what);
  if (!v.is_number()) bad(what + ": " + std::string(key) + " is not a number");
  return v.get<double>();
}

LoraAdapter read_config(std::string_view text, const std::string& what) {
  const Json config = parse_json(text, what, {.max_bytes = kMaxConfigBytes, .max_depth = 16});
  if (json_string(config, "peft_type", what) != "LORA") unsupported(what + ": peft_type");
  for (const char* field : {"use_dora",
                            "use_rslora",
                            "lora_bias",
                            "fan_in_fan_out",
                            "rank_pattern",
                            "alpha_pattern",
                            "modules_to_save",
                            "layers_to_transform",
                            "layer_replication",
                            "trainable_token_indices",
                            "exclude_modules",
                            "target_parameters",
                            "use_qalora",
                            "use_bdlora",
                            "alora_invocation_tokens",
                            "arrow_config",
                            "kasa_config",
                            "megatron_config",
                            "monteclora_config",
                            "velora_config"}) {
    if (!is_unset(config, field)) unsupported(what + ": " + field);
  }
  if (config.value("bias", Json("none")) != "none") unsupported(what + ": bias");
  LoraAdapter out;
  const uint64_t rank = json_uint(config, "r", what);
  if (rank == 0 || rank > 4096) bad(what + ": r is " + std::to_string(rank));
  out.rank = static_cast<uint32_t>(rank);
  out.alpha = number(config, "lora_alpha", what);
  if (!std::isfinite(out.alpha)) bad(what + ": lora_alpha is not finite");
  out.dropout = config.contains("lora_dropout") ? number(config, "lora_dropout", what) : 0.0;
  if (!(out.dropout >= 0 && out.dropout < 1)) bad(what + ": lora_dropout is not in [0, 1)");
  const auto base = config.find("base_model_name_or_path");
  if (base != config.end() && base->is_string()) out.base_model = base->get<std::string>();
  out.targets = read_targets(config, what);
  return out;
}

std::vector<float> read_matrix(const SafetensorsView& view, const std::string& name, uint64_t rows,
                               uint64_t columns, std::string_view what) {
  const auto it = view.tensors().find(name);
  if (it != view.tensors().end() && it->second.shape != std::vector<uint64_t>{rows, columns}) {
    bad(std::string(what) + ": tensor \"" + name + "\" is not [" + std::to_string(rows) + "," +
        std::to_string(columns) + "]");
  }
  std::vector<float> out = view.read_f32(name);
  if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); })) {
    bad(std::string(what) + ": tensor \"" + name +
        "\" has a value that is not a number or infinite");
  }
  return out;
}

}  // namespace

std::string_view projection_name(Projection projection) {
  switch (projection) {
    case Projection::kQ:
      return "q_proj";
    case Projection::kK:
      return "k_proj";
    case Projection::kV:
      return "v_proj";
    case Projection::kO:
      return "o_proj";
    case Projection::kGate:
      return "gate_proj";
    case Projection::kUp:
      return "up_proj";
    case Projection::kDown:
      return "down_proj";
  }
  return "";
}

Projection projection_from_name(std::string_view name) {
  for (Projection p : kAll) {
    if (projection_name(p) == name) return p;
  }
  throw Error(ErrorCode::kUsage, "\"" + std::string(name) + "\" is no projection",
              "choose from q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj");
}

std::string projection_module(uint32_t layer, Projection which) {
  const bool mlp = which >= Projection::kGate;
  return "model.layers." + std::to_string(layer) + (mlp ? ".mlp." : ".self_attn.") +
         std::string(projection_name(which));
}

uint32_t projection_rows(const ModelConfig& config, Projection which) {
  switch (which) {
    case Projection::kQ:
      return config.q_size();
    case Projection::kK:
    case Projection::kV:
      return config.kv_size();
    case Projection::kGate:
    case Projection::kUp:
      return config.intermediate;
    case Projection::kO:
    case Projection::kDown:
      break;
  }
  return config.hidden;
}

uint32_t projection_columns(const ModelConfig& config, Projection which) {
  if (which == Projection::kO) return config.q_size();
  return which == Projection::kDown ? config.intermediate : config.hidden;
}

std::map<std::string, Bytes> peft_files(const LoraAdapter& adapter, std::string_view model_card) {
  std::map<std::string, SafetensorsTensor> tensors;
  for (const auto& [module, m] : adapter.modules) {
    tensors[tensor_name(module, 'A')] = {{adapter.rank, m.a.size() / adapter.rank}, m.a};
    tensors[tensor_name(module, 'B')] = {{m.b.size() / adapter.rank, adapter.rank}, m.b};
  }
  const std::string config = config_json(adapter).dump(2) + "\n";
  const auto bytes = [](std::string_view text) { return Bytes(text.begin(), text.end()); };
  return {{"adapter_model.safetensors", write_safetensors(tensors, {{"format", "pt"}})},
          {"adapter_config.json", bytes(config)},
          {"README.md", bytes(model_card)}};
}

void write_peft_folder(const fs::path& folder, const LoraAdapter& adapter,
                       std::string_view model_card) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) {
    throw Error(ErrorCode::kIo, "cannot create " + folder.string() + ": " + ec.message());
  }
  for (const auto& [name, content] : peft_files(adapter, model_card)) {
    write_file_atomic(folder / name, content);
  }
}

LoraAdapter parse_peft_files(ByteView safetensors, std::string_view adapter_config,
                             const ModelConfig& config, std::string_view what) {
  const std::string at(what);
  LoraAdapter out = read_config(adapter_config, at + "/adapter_config.json");
  const std::string file = at + "/adapter_model.safetensors";
  const SafetensorsView view(safetensors, file);
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    for (Projection p : out.targets) {
      const std::string module = projection_module(layer, p);
      LoraMatrices& m = out.modules[module];
      m.a = read_matrix(view, tensor_name(module, 'A'), out.rank, projection_columns(config, p),
                        file);
      m.b = read_matrix(view, tensor_name(module, 'B'), projection_rows(config, p), out.rank, file);
    }
  }
  for (const auto& [name, entry] : view.tensors()) {
    const size_t end = name.find(".lora_");
    const bool known = name.starts_with(kPrefix) && end != std::string::npos &&
                       out.modules.contains(name.substr(kPrefix.size(), end - kPrefix.size())) &&
                       (name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight"));
    if (!known) bad(file + ": tensor \"" + name + "\" belongs to no target of this base model");
  }
  return out;
}

LoraAdapter read_peft_folder(const fs::path& folder, const ModelConfig& config) {
  const Bytes weights = read_file(folder / "adapter_model.safetensors");
  const std::string json = read_text_file(folder / "adapter_config.json", kMaxConfigBytes);
  return parse_peft_files(weights, json, config, folder.filename().string());
}

}  // namespace ffe::lm
