// The shape of a decoder-only transformer, read from config.json or from GGUF metadata.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace ffe::lm {

class GgufFile;

enum class Architecture { kLlama, kQwen2, kQwen3, kMistral };
std::string_view architecture_name(Architecture architecture);  // "llama", "qwen2", …

// Llama 3's frequency-dependent stretching of the rotary wavelengths. Off when factor is 1.
struct RopeScaling {
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 4.0;
  uint32_t original_max_position = 8192;

  bool enabled() const { return factor != 1.0; }
};

// All sizes are checked: positive, bounded, kv_heads divides heads, head_dim is even. Projections:
// q [heads*head_dim, hidden], k and v [kv_heads*head_dim, hidden], o [hidden, heads*head_dim],
// gate and up [intermediate, hidden], down [hidden, intermediate].
struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  std::string name;  // "_name_or_path" or "general.name", else the file or folder name
  uint32_t vocab = 0;
  uint32_t hidden = 0;
  uint32_t intermediate = 0;
  uint32_t layers = 0;
  uint32_t heads = 0;
  uint32_t kv_heads = 0;
  uint32_t head_dim = 0;
  double rms_eps = 1e-6;
  double rope_theta = 10000.0;
  RopeScaling rope_scaling;
  uint32_t max_position = 0;
  bool tie_embeddings = false;  // the output projection is model.embed_tokens.weight
  bool attention_bias = false;  // q, k and v have biases
  bool output_bias = false;  // o has a bias (Llama's attention_bias gives it one; Qwen2 has none)
  bool qk_norm = false;      // RMSNorm over head_dim of q and k before the rotation (Qwen3)
  uint32_t sliding_window = 0;  // a token sees itself and the window-1 tokens before; 0: all
  int32_t bos = -1;             // -1: none
  std::vector<int32_t> eos;     // one or several ids that end a text

  uint32_t q_size() const { return heads * head_dim; }
  uint32_t kv_size() const { return kv_heads * head_dim; }

  // config.json of transformers 4 or 5. Throws Error{kUnsupported} or {kBadInput} whose message is
  // "<what>: <field> …".
  static ModelConfig from_hf(const Json& config, std::string_view what);
  static ModelConfig from_gguf(const GgufFile& file);
};

}  // namespace ffe::lm
