// A model of a few thousand random weights with a tokenizer of bytes and the ChatML template:
// enough for every command that works with a model.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/json.hpp"
#include "crypto/random.hpp"
#include "lm/safetensors.hpp"

namespace ffe::test {

inline std::string utf8(uint32_t c) {
  if (c < 0x80) return {static_cast<char>(c)};
  return {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
}

// GPT-2's alphabet: printable bytes stand for themselves, the others for U+0100 and up.
inline Json byte_vocabulary() {
  Json vocab = Json::object();
  uint32_t next = 256;
  for (uint32_t b = 0; b < 256; ++b) {
    const bool itself = (b > 32 && b < 127) || (b > 160 && b != 173);
    vocab[utf8(itself ? b : next++)] = b;
  }
  return vocab;
}

inline constexpr const char* kChatMl =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\n' }}{% endif %}";

struct TinyModel {
  uint32_t hidden = 32, intermediate = 48, layers = 2, heads = 4, kv_heads = 2, positions = 512;
  uint8_t seed = 1;
  bool chat_template = true;
  bool ends = true;  // false: drawn greedily, it never ends its turn
};

inline std::filesystem::path write_tiny_model(const std::filesystem::path& folder,
                                              const TinyModel& m = {}) {
  constexpr uint32_t kVocab = 259;
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* name, const Json& json) {
    write_file_atomic(folder / name, as_bytes(json.dump()));
  };
  write("config.json", {{"architectures", {"LlamaForCausalLM"}},
                        {"model_type", "llama"},
                        {"_name_or_path", "tiny"},
                        {"hidden_size", m.hidden},
                        {"intermediate_size", m.intermediate},
                        {"num_hidden_layers", m.layers},
                        {"num_attention_heads", m.heads},
                        {"num_key_value_heads", m.kv_heads},
                        {"vocab_size", kVocab},
                        {"max_position_embeddings", m.positions},
                        {"rms_norm_eps", 1e-5},
                        {"rope_theta", 10000.0},
                        {"hidden_act", "silu"},
                        {"tie_word_embeddings", true},
                        {"eos_token_id", 257}});
  Json added = Json::array();
  for (const auto& [id, text] : std::map<int, const char*>{
           {256, "<|im_start|>"}, {257, "<|im_end|>"}, {258, "<|endoftext|>"}}) {
    added.push_back({{"id", id}, {"content", text}, {"special", true}});
  }
  write(
      "tokenizer.json",
      {{"added_tokens", added},
       {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
       {"decoder", {{"type", "ByteLevel"}}},
       {"model", {{"type", "BPE"}, {"vocab", byte_vocabulary()}, {"merges", Json::array()}}}});
  Json config = {{"eos_token", "<|im_end|>"}};
  if (m.chat_template) config["chat_template"] = kChatMl;
  write("tokenizer_config.json", config);

  crypto::ChaChaRng rng(Bytes(32, m.seed));
  std::map<std::string, std::pair<std::vector<uint64_t>, std::vector<float>>> weights;
  const auto random = [&](const std::string& name, uint64_t rows, uint64_t columns) {
    std::vector<float> values(rows * columns);
    for (float& v : values) v = static_cast<float>(0.3 * (2 * rng.uniform01() - 1));
    weights[name] = {{rows, columns}, std::move(values)};
  };
  const auto ones = [&](const std::string& name) {
    weights[name] = {{m.hidden}, std::vector<float>(m.hidden, 1.0f)};
  };
  random("model.embed_tokens.weight", kVocab, m.hidden);
  if (!m.ends) {  // the output layer is the same matrix: control tokens are never the likeliest
    std::vector<float>& e = weights["model.embed_tokens.weight"].second;
    std::fill(e.end() - 3 * m.hidden, e.end(), 0.0f);
  }
  ones("model.norm.weight");
  const uint32_t kv = m.hidden / m.heads * m.kv_heads;
  for (uint32_t l = 0; l < m.layers; ++l) {
    const std::string at = "model.layers." + std::to_string(l) + ".";
    ones(at + "input_layernorm.weight");
    ones(at + "post_attention_layernorm.weight");
    random(at + "self_attn.q_proj.weight", m.hidden, m.hidden);
    random(at + "self_attn.k_proj.weight", kv, m.hidden);
    random(at + "self_attn.v_proj.weight", kv, m.hidden);
    random(at + "self_attn.o_proj.weight", m.hidden, m.hidden);
    random(at + "mlp.gate_proj.weight", m.intermediate, m.hidden);
    random(at + "mlp.up_proj.weight", m.intermediate, m.hidden);
    random(at + "mlp.down_proj.weight", m.hidden, m.intermediate);
  }
  std::map<std::string, lm::SafetensorsTensor> tensors;
  for (const auto& [name, w] : weights) tensors[name] = {w.first, w.second};
  write_file_atomic(folder / "model.safetensors", lm::write_safetensors(tensors));
  return folder;
}

// Questions whose answers follow a rule.
inline std::string counting_rows(size_t n, size_t first = 0) {
  std::string out;
  for (size_t i = first; i < first + n; ++i) {
    const std::string digit(1, static_cast<char>('0' + i % 10));
    out += Json{{"prompt", "say " + digit + " " + std::to_string(i)},
                {"completion", digit + digit + digit + digit}}
               .dump() +
           "\n";
  }
  return out;
}

}  // namespace ffe::test
