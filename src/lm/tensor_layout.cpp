#include "lm/tensor_layout.hpp"

namespace ffe::lm {
namespace {

struct NamePair {
  std::string_view gguf;
  std::string_view hf;
};
constexpr NamePair kGlobal[] = {{"token_embd.weight", "model.embed_tokens.weight"},
                                {"output_norm.weight", "model.norm.weight"},
                                {"output.weight", "lm_head.weight"}};
constexpr NamePair kLayer[] = {
    {"attn_norm", "input_layernorm"},    {"ffn_norm", "post_attention_layernorm"},
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},      {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"}, {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

// Splits "<prefix>N.<module>.<weight or bias>"; all parts are views into `name`.
struct LayerName {
  std::string_view index;
  std::string_view module;
  std::string_view suffix;  // with its dot
};
std::optional<LayerName> split(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const size_t dot = name.find('.');
  const size_t last = name.rfind('.');
  if (dot == 0 || dot == std::string_view::npos || last == dot) return std::nullopt;
  LayerName out{name.substr(0, dot), name.substr(dot + 1, last - dot - 1), name.substr(last)};
  if (out.index.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return out;
}

}  // namespace

std::map<std::string, std::vector<uint64_t>> expected_tensors(const ModelConfig& c) {
  std::map<std::string, std::vector<uint64_t>> out;
  out["model.embed_tokens.weight"] = {c.vocab, c.hidden};
  out["model.norm.weight"] = {c.hidden};
  if (!c.tie_embeddings) out["lm_head.weight"] = {c.vocab, c.hidden};
  for (uint32_t layer = 0; layer < c.layers; ++layer) {
    const std::string at = "model.layers." + std::to_string(layer) + ".";
    out[at + "input_layernorm.weight"] = {c.hidden};
    out[at + "post_attention_layernorm.weight"] = {c.hidden};
    const std::string attention = at + "self_attn.";
    out[attention + "q_proj.weight"] = {c.q_size(), c.hidden};
    out[attention + "k_proj.weight"] = {c.kv_size(), c.hidden};
    out[attention + "v_proj.weight"] = {c.kv_size(), c.hidden};
    out[attention + "o_proj.weight"] = {c.hidden, c.q_size()};
    if (c.attention_bias) {
      out[attention + "q_proj.bias"] = {c.q_size()};
      out[attention + "k_proj.bias"] = {c.kv_size()};
      out[attention + "v_proj.bias"] = {c.kv_size()};
    }
    if (c.output_bias) out[attention + "o_proj.bias"] = {c.hidden};
    if (c.qk_norm) {
      out[attention + "q_norm.weight"] = {c.head_dim};
      out[attention + "k_norm.weight"] = {c.head_dim};
    }
    out[at + "mlp.gate_proj.weight"] = {c.intermediate, c.hidden};
    out[at + "mlp.up_proj.weight"] = {c.intermediate, c.hidden};
    out[at + "mlp.down_proj.weight"] = {c.hidden, c.intermediate};
  }
  return out;
}

std::optional<std::string> hf_name_from_gguf(std::string_view name) {
  for (const NamePair& pair : kGlobal) {
    if (pair.gguf == name) return std::string(pair.hf);
  }
  const std::optional<LayerName> layer = split(name, "blk.");
  if (!layer) return std::nullopt;
  for (const NamePair& pair : kLayer) {
    if (pair.gguf != layer->module) continue;
    return "model.layers." + std::string(layer->index) + "." + std::string(pair.hf) +
           std::string(layer->suffix);
  }
  return std::nullopt;
}

std::string gguf_name_from_hf(std::string_view name) {
  for (const NamePair& pair : kGlobal) {
    if (pair.hf == name) return std::string(pair.gguf);
  }
  if (const std::optional<LayerName> layer = split(name, "model.layers.")) {
    for (const NamePair& pair : kLayer) {
      if (pair.hf != layer->module) continue;
      return "blk." + std::string(layer->index) + "." + std::string(pair.gguf) +
             std::string(layer->suffix);
    }
  }
  throw Error(ErrorCode::kInternal, "no GGUF name for " + std::string(name));
}

uint64_t interleaved_row(uint64_t row, uint64_t head_dim) {
  const uint64_t head = row / head_dim;
  const uint64_t within = row % head_dim;
  const uint64_t half = within / (head_dim / 2);
  const uint64_t pair = within % (head_dim / 2);
  return head * head_dim + 2 * pair + half;
}

}  // namespace ffe::lm
