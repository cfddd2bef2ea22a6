#include "lm/model_config.hpp"

#include <cmath>
#include <optional>

#include "lm/gguf.hpp"
#include "lm/rope_factors.hpp"

namespace ffe::lm {
namespace {

// Generous for any model of today, small enough that products of sizes fit in 64 bits.
constexpr uint64_t kMaxVocab = 1u << 22;
constexpr uint64_t kMaxWidth = 1u << 18;
constexpr uint64_t kMaxLayers = 1u << 10;
constexpr uint64_t kMaxHeads = 1u << 12;
constexpr uint64_t kMaxPositions = 1u << 26;
constexpr uint32_t kMistralWindow = 4096;

std::optional<Architecture> architecture_from(std::string_view name) {
  for (Architecture a :
       {Architecture::kLlama, Architecture::kQwen2, Architecture::kQwen3, Architecture::kMistral}) {
    if (architecture_name(a) == name) return a;
  }
  return std::nullopt;
}

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

[[noreturn]] void unsupported(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kUnsupported, std::string(what) + ": " + why,
              "supported are Llama, Qwen2, Qwen2.5, Qwen3 and Mistral models in full precision "
              "or GGUF");
}

void check_size(std::string_view what, std::string_view field, uint64_t value, uint64_t limit) {
  if (value == 0 || value > limit) {
    bad(what, std::string(field) + " is " + std::to_string(value) + ", expected 1 to " +
                  std::to_string(limit));
  }
}

void check_positive(std::string_view what, std::string_view field, double value) {
  if (!std::isfinite(value) || value <= 0) bad(what, std::string(field) + " is not above 0");
}

void check(const ModelConfig& c, std::string_view what) {
  check_size(what, "vocabulary size", c.vocab, kMaxVocab);
  check_size(what, "hidden size", c.hidden, kMaxWidth);
  check_size(what, "intermediate size", c.intermediate, kMaxWidth * 4);
  check_size(what, "number of layers", c.layers, kMaxLayers);
  check_size(what, "number of heads", c.heads, kMaxHeads);
  check_size(what, "number of key-value heads", c.kv_heads, c.heads);
  check_size(what, "head size", c.head_dim, 4096);
  check_size(what, "number of positions", c.max_position, kMaxPositions);
  if (c.heads % c.kv_heads != 0) {
    bad(what, std::to_string(c.heads) + " heads do not share " + std::to_string(c.kv_heads) +
                  " key-value heads evenly");
  }
  if (c.head_dim % 2 != 0) bad(what, "head size " + std::to_string(c.head_dim) + " is odd");
  check_size(what, "heads times head size", uint64_t{c.heads} * c.head_dim, kMaxWidth * 4);
  check_positive(what, "rms_norm_eps", c.rms_eps);
  check_positive(what, "rope_theta", c.rope_theta);
  const auto check_token = [&](std::string_view field, int64_t id) {
    if (id < -1 || id >= static_cast<int64_t>(c.vocab)) {
      bad(what, std::string(field) + " " + std::to_string(id) + " is outside the vocabulary");
    }
  };
  check_token("bos_token_id", c.bos);
  for (int32_t id : c.eos) check_token("eos_token_id", id);
}

// Members of config.json: absent and null mean the same to transformers, with one exception.
class Fields {
 public:
  Fields(const Json& json, std::string_view what) : json_(json), what_(what) {
    if (!json.is_object()) bad(what, "is not an object");
  }

  bool has(std::string_view key) const { return json_.contains(key); }
  const Json* find(std::string_view key) const {
    auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }
  std::optional<uint32_t> find_size(std::string_view key) const {
    const Json* v = find(key);
    if (v == nullptr) return std::nullopt;
    if (!v->is_number_unsigned() || v->get<uint64_t>() > UINT32_MAX) {
      bad(what_, std::string(key) + " is not a whole number");
    }
    return static_cast<uint32_t>(v->get<uint64_t>());
  }
  uint32_t size(std::string_view key) const {
    std::optional<uint32_t> v = find_size(key);
    if (!v) bad(what_, "has no \"" + std::string(key) + "\"");
    return *v;
  }
  std::optional<double> find_number(std::string_view key) const {
    const Json* v = find(key);
    if (v == nullptr) return std::nullopt;
    if (!v->is_number()) bad(what_, std::string(key) + " is not a number");
    return v->get<double>();
  }
  bool flag(std::string_view key, bool otherwise) const {
    const Json* v = find(key);
    if (v == nullptr) return otherwise;
    if (!v->is_boolean()) bad(what_, std::string(key) + " is not true or false");
    return v->get<bool>();
  }
  std::string text(std::string_view key, std::string_view otherwise) const {
    const Json* v = find(key);
    if (v == nullptr) return std::string(otherwise);
    if (!v->is_string()) bad(what_, std::string(key) + " is not a string");
    return v->get<std::string>();
  }
  std::string_view what() const { return what_; }

 private:
  const Json& json_;
  std::string_view what_;
};

int32_t token_id(const Json& v, std::string_view what, std::string_view key) {
  if (!v.is_number_integer() || v.get<int64_t>() < 0 || v.get<int64_t>() > INT32_MAX) {
    bad(what, std::string(key) + " is not a token id");
  }
  return static_cast<int32_t>(v.get<int64_t>());
}

void read_special_ids(const Fields& f, ModelConfig& c) {
  if (const Json* v = f.find("bos_token_id")) c.bos = token_id(*v, f.what(), "bos_token_id");
  const Json* eos = f.find("eos_token_id");
  if (eos == nullptr) return;
  if (!eos->is_array()) {
    c.eos = {token_id(*eos, f.what(), "eos_token_id")};
    return;
  }
  for (const Json& id : *eos) c.eos.push_back(token_id(id, f.what(), "eos_token_id"));
}

// transformers 5 has rope_parameters; 4 has rope_theta beside an optional rope_scaling.
void read_rope(const Fields& f, ModelConfig& c) {
  const Json empty = Json::object();
  const bool v5 = f.find("rope_parameters") != nullptr;
  const std::string group = v5 ? "rope_parameters" : "rope_scaling";
  const Json* json = f.find(group);
  const std::string what = std::string(f.what()) + ": " + group;
  const Fields rope(json == nullptr ? empty : *json, what);
  c.rope_theta =
      rope.find_number("rope_theta").value_or(f.find_number("rope_theta").value_or(10000.0));
  if (rope.find_number("partial_rotary_factor")
          .value_or(f.find_number("partial_rotary_factor").value_or(1.0)) != 1.0) {
    unsupported(what, "partial_rotary_factor other than 1");
  }
  const std::string type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "default") return;
  if (type != "llama3") unsupported(what, "rope_type \"" + type + "\"");
  c.rope_scaling.factor = rope.find_number("factor").value_or(0);
  c.rope_scaling.low_freq_factor = rope.find_number("low_freq_factor").value_or(1.0);
  c.rope_scaling.high_freq_factor = rope.find_number("high_freq_factor").value_or(4.0);
  c.rope_scaling.original_max_position = rope.size("original_max_position_embeddings");
  check_positive(what, "factor", c.rope_scaling.factor);
  check_positive(what, "low_freq_factor", c.rope_scaling.low_freq_factor);
  check_size(what, "original_max_position_embeddings", c.rope_scaling.original_max_position,
             kMaxPositions);
  if (!(c.rope_scaling.high_freq_factor > c.rope_scaling.low_freq_factor)) {
    bad(what, "high_freq_factor is not above low_freq_factor");
  }
}

uint32_t read_window(const Fields& f, const ModelConfig& c) {
  const uint32_t window = f.find_size("sliding_window").value_or(0);
  // transformers' MistralConfig has a window unless the file says null.
  if (c.architecture == Architecture::kMistral) {
    return f.has("sliding_window") ? window : kMistralWindow;
  }
  if (c.architecture == Architecture::kLlama || window == 0) return 0;
  if (!f.flag("use_sliding_window", false)) return 0;
  uint32_t sliding = 0;  // layers with a window
  if (const Json* types = f.find("layer_types")) {
    if (!types->is_array() || types->size() != c.layers) {
      bad(f.what(), "layer_types does not list every layer");
    }
    for (const Json& type : *types) {
      if (type == "sliding_attention") {
        ++sliding;
      } else if (type != "full_attention") {
        unsupported(f.what(),
                    "layer_types has an entry other than full_attention and "
                    "sliding_attention");
      }
    }
  } else {
    const uint32_t full = f.find_size("max_window_layers").value_or(c.layers);
    sliding = c.layers - std::min(full, c.layers);
  }
  if (sliding != 0 && sliding != c.layers) {
    unsupported(f.what(), "layer_types mixes full and sliding attention");
  }
  return sliding == 0 ? 0 : window;
}

// The scaling parameters behind a GGUF's table of frequency divisors: its converter writes the
// table of Llama 3's formula, whose other parameters have one value in every published model.
RopeScaling scaling_from_factors(std::span<const float> factors, const ModelConfig& c,
                                 std::string_view what) {
  RopeScaling scaling;
  for (float f : factors) {
    if (!std::isfinite(f) || f < 1) bad(what, "tensor \"rope_freqs.weight\" has impossible values");
    scaling.factor = std::max<double>(scaling.factor, f);
  }
  const std::vector<double> wanted = rope_divisors(scaling, c.rope_theta, c.head_dim);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (std::abs(factors[i] - wanted[i]) > 1e-3 * wanted[i]) {
      unsupported(what, "tensor \"rope_freqs.weight\" is not Llama 3's scaling");
    }
  }
  return scaling;
}

}  // namespace

std::string_view architecture_name(Architecture architecture) {
  switch (architecture) {
    case Architecture::kLlama:
      return "llama";
    case Architecture::kQwen2:
      return "qwen2";
    case Architecture::kQwen3:
      return "qwen3";
    case Architecture::kMistral:
      return "mistral";
  }
  return "";
}

ModelConfig ModelConfig::from_hf(const Json& config, std::string_view what) {
  const Fields f(config, what);
  const std::string type = f.text("model_type", "");
  const std::optional<Architecture> architecture = architecture_from(type);
  if (!architecture) unsupported(what, "model_type \"" + type + "\"");
  if (f.find("quantization_config") != nullptr) unsupported(what, "quantization_config");
  const std::string activation = f.text("hidden_act", "silu");
  if (activation != "silu") unsupported(what, "hidden_act \"" + activation + "\"");
  if (f.flag("mlp_bias", false)) unsupported(what, "mlp_bias");

  ModelConfig c;
  c.architecture = *architecture;
  c.name = f.text("_name_or_path", "");
  c.vocab = f.size("vocab_size");
  c.hidden = f.size("hidden_size");
  c.intermediate = f.size("intermediate_size");
  c.layers = f.size("num_hidden_layers");
  c.heads = f.size("num_attention_heads");
  c.kv_heads = f.find_size("num_key_value_heads").value_or(c.heads);
  check_size(what, "num_attention_heads", c.heads, kMaxHeads);
  const uint32_t default_head = c.architecture == Architecture::kQwen3 ? 128 : c.hidden / c.heads;
  c.head_dim = f.find_size("head_dim").value_or(default_head);
  c.rms_eps = f.find_number("rms_norm_eps").value_or(1e-6);
  c.max_position = f.size("max_position_embeddings");
  c.tie_embeddings = f.flag("tie_word_embeddings", false);
  const bool bias = f.flag("attention_bias", false);
  c.attention_bias = bias || c.architecture == Architecture::kQwen2;
  c.output_bias = bias && c.architecture != Architecture::kQwen2;
  c.qk_norm = c.architecture == Architecture::kQwen3;
  read_rope(f, c);
  read_special_ids(f, c);
  check_size(what, "num_hidden_layers", c.layers, kMaxLayers);
  c.sliding_window = read_window(f, c);
  check(c, what);
  return c;
}

ModelConfig ModelConfig::from_gguf(const GgufFile& file) {
  const std::string& what = file.what();
  const std::string arch(file.get_string("general.architecture"));
  const std::optional<Architecture> architecture = architecture_from(arch);
  // llama.cpp has no "mistral": those models are "llama" there.
  if (!architecture || *architecture == Architecture::kMistral) {
    unsupported(what, "general.architecture \"" + arch + "\"");
  }
  const auto key = [&](std::string_view name) { return arch + "." + std::string(name); };
  const auto narrow = [&](std::string_view name, uint64_t v) {
    if (v > UINT32_MAX) bad(what, key(name) + " is too large");
    return static_cast<uint32_t>(v);
  };
  const auto size = [&](std::string_view name) { return narrow(name, file.get_uint(key(name))); };
  ModelConfig c;
  c.architecture = *architecture;
  c.name = file.find_string("general.name").value_or("");
  c.hidden = size("embedding_length");
  c.intermediate = size("feed_forward_length");
  c.layers = size("block_count");
  c.heads = size("attention.head_count");
  c.kv_heads = narrow("attention.head_count_kv",
                      file.find_uint(key("attention.head_count_kv")).value_or(c.heads));
  check_size(what, key("attention.head_count"), c.heads, kMaxHeads);
  c.head_dim = narrow("attention.key_length",
                      file.find_uint(key("attention.key_length")).value_or(c.hidden / c.heads));
  if (file.find_uint(key("attention.value_length")).value_or(c.head_dim) != c.head_dim) {
    unsupported(what, key("attention.value_length") + " differs from the key length");
  }
  if (file.find_uint(key("rope.dimension_count")).value_or(c.head_dim) != c.head_dim) {
    unsupported(what, key("rope.dimension_count") + " differs from the head size");
  }
  if (file.find_uint(key("expert_count")).value_or(0) != 0) {
    unsupported(what, key("expert_count"));
  }
  const std::string_view scaling = file.find_string(key("rope.scaling.type")).value_or("none");
  if (scaling != "none" && file.find_float(key("rope.scaling.factor")).value_or(1.0) != 1.0) {
    unsupported(what, key("rope.scaling.type") + " \"" + std::string(scaling) + "\"");
  }
  c.max_position = size("context_length");
  c.rms_eps = file.get_float(key("attention.layer_norm_rms_epsilon"));
  c.rope_theta = file.find_float(key("rope.freq_base")).value_or(10000.0);
  c.sliding_window = narrow("attention.sliding_window",
                            file.find_uint(key("attention.sliding_window")).value_or(0));
  const auto embedding = file.tensors().find("token_embd.weight");
  if (embedding == file.tensors().end() || embedding->second.shape.size() != 2) {
    bad(what, "has no usable tensor \"token_embd.weight\"");
  }
  c.vocab = narrow("vocab_size", embedding->second.shape[0]);
  c.tie_embeddings = !file.tensors().contains("output.weight");
  c.attention_bias = file.tensors().contains("blk.0.attn_q.bias");
  c.output_bias = file.tensors().contains("blk.0.attn_output.bias");
  c.qk_norm = c.architecture == Architecture::kQwen3;
  const auto id = [&](std::string_view name) {
    const std::optional<uint64_t> v = file.find_uint(name);
    if (v && *v > INT32_MAX) bad(what, std::string(name) + " is not a token id");
    return v ? static_cast<int32_t>(*v) : -1;
  };
  c.bos = id("tokenizer.ggml.bos_token_id");
  for (std::string_view name : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const int32_t eos = id(name);
    if (eos >= 0 && (c.eos.empty() || c.eos[0] != eos)) c.eos.push_back(eos);
  }
  check(c, what);
  const auto factors = file.tensors().find("rope_freqs.weight");
  if (factors != file.tensors().end()) {
    const GgufFile::Tensor& t = factors->second;
    if (t.dtype != DType::kF32 || t.shape != std::vector<uint64_t>{c.head_dim / 2}) {
      bad(what, "tensor \"rope_freqs.weight\" has another type or shape than F32 [" +
                    std::to_string(c.head_dim / 2) + "]");
    }
    std::vector<float> values(c.head_dim / 2);
    dequantise(DType::kF32, t.data.data(), values.data(), values.size());
    c.rope_scaling = scaling_from_factors(values, c, what);
  }
  return c;
}

}  // namespace ffe::lm
