// LoRA adapters for llama.cpp.
#include <algorithm>
#include <bit>

#include "lm/adapter_file.hpp"
#include "lm/tensor_layout.hpp"

namespace ffe::lm {
namespace {

constexpr uint32_t kTypeU32 = 4;
constexpr uint32_t kTypeF32 = 6;
constexpr uint32_t kTypeString = 8;
constexpr size_t kAlignment = 32;

void put(Bytes& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i, value >>= 8) out.push_back(static_cast<uint8_t>(value));
}

void put_string(Bytes& out, std::string_view text) {
  put(out, text.size(), 8);
  append(out, as_bytes(text));
}

struct Tensor {
  std::string name;
  uint64_t rows;
  uint64_t columns;
  std::vector<float> data;
};

// llama.cpp keeps q and k of Llama models with interleaved rows; the rows of B follow them.
std::vector<float> interleave(const std::vector<float>& b, uint64_t rank, uint64_t head_dim) {
  std::vector<float> out(b.size());
  for (uint64_t row = 0; row < b.size() / rank; ++row) {
    const uint64_t to = interleaved_row(row, head_dim);
    std::copy_n(b.begin() + static_cast<ptrdiff_t>(row * rank), rank,
                out.begin() + static_cast<ptrdiff_t>(to * rank));
  }
  return out;
}

std::vector<Tensor> tensors_of(const LoraAdapter& adapter, const ModelConfig& config) {
  // Mistral models are "llama" to llama.cpp.
  const bool llama =
      config.architecture == Architecture::kLlama || config.architecture == Architecture::kMistral;
  std::vector<Tensor> out;
  for (const auto& [module, m] : adapter.modules) {
    const std::string name = gguf_name_from_hf(module + ".weight");
    const bool rotary = module.ends_with(".q_proj") || module.ends_with(".k_proj");
    out.push_back({name + ".lora_a", adapter.rank, m.a.size() / adapter.rank, m.a});
    out.push_back({name + ".lora_b", m.b.size() / adapter.rank, adapter.rank,
                   llama && rotary ? interleave(m.b, adapter.rank, config.head_dim) : m.b});
  }
  std::sort(out.begin(), out.end(),
            [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
  return out;
}

}  // namespace

Bytes gguf_adapter(const LoraAdapter& adapter, const ModelConfig& config) {
  static_assert(std::endian::native == std::endian::little);
  const std::vector<Tensor> tensors = tensors_of(adapter, config);
  const std::string_view arch = config.architecture == Architecture::kMistral
                                    ? architecture_name(Architecture::kLlama)
                                    : architecture_name(config.architecture);
  Bytes out = {'G', 'G', 'U', 'F'};
  put(out, 3, 4);
  put(out, tensors.size(), 8);
  put(out, 5, 8);
  const auto text = [&](std::string_view key, std::string_view value) {
    put_string(out, key);
    put(out, kTypeString, 4);
    put_string(out, value);
  };
  text("general.architecture", arch);
  text("general.type", "adapter");
  text("adapter.type", "lora");
  put_string(out, "adapter.lora.alpha");
  put(out, kTypeF32, 4);
  put(out, std::bit_cast<uint32_t>(static_cast<float>(adapter.alpha)), 4);
  put_string(out, "general.alignment");
  put(out, kTypeU32, 4);
  put(out, kAlignment, 4);

  const auto aligned = [](size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; };
  size_t offset = 0;
  for (const Tensor& t : tensors) {
    put_string(out, t.name);
    put(out, 2, 4);
    put(out, t.columns, 8);
    put(out, t.rows, 8);
    put(out, 0, 4);  // F32
    put(out, offset, 8);
    offset = aligned(offset + 4 * t.data.size());
  }
  for (const Tensor& t : tensors) {
    out.resize(aligned(out.size()));
    append(out, {reinterpret_cast<const uint8_t*>(t.data.data()), 4 * t.data.size()});
  }
  out.resize(aligned(out.size()));
  return out;
}

}  // namespace ffe::lm
