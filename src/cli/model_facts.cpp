#include "cli/model_facts.hpp"

#include <fmt/format.h>
#include <map>
#include <optional>

#include "base/hex.hpp"
#include "cli/terminal.hpp"
#include "lm/chat_template.hpp"
#include "lm/numeric.hpp"
#include "lm/tokenizer.hpp"
#include "session/recipe.hpp"

namespace ffe::cli {
namespace {

// Weights in memory: f32 keeps one copy of four bytes, the bf16 paths two copies of two bytes each.
// Norms and biases are too small to matter.
constexpr uint64_t kBytesPerWeight = 4;
// The engine bounds what a training step keeps (EngineOptions::train_tokens).
constexpr uint64_t kTrainingBytes = uint64_t{1500} << 20;

Json memory_estimates(uint64_t parameters) {
  Json out = Json::object();
  for (lm::NumericPath path : {lm::NumericPath::kF32, lm::NumericPath::kBf16Emulated,
                               lm::NumericPath::kAvx512Bf16, lm::NumericPath::kAmxBf16}) {
    const uint64_t weights = parameters * kBytesPerWeight;
    out[std::string(lm::numeric_name(path))] = {{"weightsBytes", weights},
                                                {"trainingBytes", weights + kTrainingBytes},
                                                {"runsHere", lm::numeric_supported(path)}};
  }
  return out;
}

Json tokenizer_facts(const lm::ModelFile& model) {
  try {
    const lm::Tokenizer tokenizer = lm::Tokenizer::from(model);
    Json out = {{"vocabulary", tokenizer.vocab_size()},
                {"bos", tokenizer.bos()},
                {"eos", tokenizer.eos()},
                {"addsBos", tokenizer.adds_bos()}};
    const std::optional<lm::ChatStyle> style = lm::recognise_chat_style(model.chat_template_text());
    out["chatTemplate"] = style ? Json(lm::chat_style_name(*style)) : Json(nullptr);
    out["hasChatTemplate"] = !model.chat_template_text().empty();
    return out;
  } catch (const Error& e) {
    return {{"error", e.what()}};
  }
}

std::string template_text(const Json& tokenizer) {
  if (!tokenizer["chatTemplate"].is_null()) return tokenizer["chatTemplate"].get<std::string>();
  return tokenizer["hasChatTemplate"].get<bool>() ? "not recognised: name one with --chat-template"
                                                  : "none: name one with --chat-template";
}

}  // namespace

Json model_facts(const lm::ModelFile& model) {
  const lm::ModelConfig& c = model.config();
  uint64_t parameters = 0;
  std::map<std::string, uint64_t> types;
  for (const std::string& name : model.tensor_names()) {
    const lm::TensorInfo& info = model.tensor_info(name);
    parameters += info.elements();
    types[std::string(lm::dtype_name(info.dtype))] += info.elements();
  }
  Json out = {{"format", "ffe.model-facts.v1"},
              {"name", c.name},
              {"path", model.path().string()},
              {"architecture", lm::architecture_name(c.architecture)},
              {"parameters", parameters},
              {"types", types},
              {"layers", c.layers},
              {"hidden", c.hidden},
              {"intermediate", c.intermediate},
              {"heads", c.heads},
              {"kvHeads", c.kv_heads},
              {"headDim", c.head_dim},
              {"vocabulary", c.vocab},
              {"positions", c.max_position},
              {"slidingWindow", c.sliding_window},
              {"tiedEmbeddings", c.tie_embeddings},
              {"tokenizer", tokenizer_facts(model)},
              {"memory", memory_estimates(parameters)},
              {"sha256", to_hex(model.sha256().bytes)}};
  const session::BaseModelManifest manifest = session::manifest_of(model.path(), c.name);
  out["manifestHash"] = to_hex0x(session::text_hash(session::to_text(manifest)).bytes);
  return out;
}

std::string facts_text(const Json& f) {
  std::string types;
  for (const auto& [name, n] : f["types"].items()) types += (types.empty() ? "" : ", ") + name;
  std::string out = fmt::format(
      "name           {}\narchitecture   {}, {} parameters ({})\n"
      "shape          {} layers, {} wide, {} in the MLP, {} heads of {}, {} for keys and values\n"
      "positions      {}{}\n",
      f["name"].get<std::string>(), f["architecture"].get<std::string>(),
      format_count(f["parameters"].get<uint64_t>()), types, f["layers"].dump(), f["hidden"].dump(),
      f["intermediate"].dump(), f["heads"].dump(), f["headDim"].dump(), f["kvHeads"].dump(),
      f["positions"].dump(),
      f["slidingWindow"] == 0 ? "" : fmt::format(" (each sees {})", f["slidingWindow"].dump()));
  const Json& tokenizer = f["tokenizer"];
  if (tokenizer.contains("error")) {
    out += fmt::format("tokenizer      {}\n", tokenizer["error"].get<std::string>());
  } else {
    out += fmt::format("tokenizer      {} tokens\nchat template  {}\n",
                       format_count(tokenizer["vocabulary"].get<uint64_t>()),
                       template_text(tokenizer));
  }
  for (const auto& [path, m] : f["memory"].items()) {
    out += fmt::format("{:<14} about {} to answer, {} to train{}\n", path,
                       format_bytes(m["weightsBytes"].get<uint64_t>()),
                       format_bytes(m["trainingBytes"].get<uint64_t>()),
                       m["runsHere"].get<bool>() ? "" : " (not on this machine)");
  }
  out +=
      fmt::format("SHA-256        {}\nmanifest       {}  (in a session's terms, under this name)",
                  f["sha256"].get<std::string>(), f["manifestHash"].get<std::string>());
  return out;
}

}  // namespace ffe::cli
