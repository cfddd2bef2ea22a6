#include "lm/base_model.hpp"

#include <cmath>

#include "base/error.hpp"
#include "lm/parallel.hpp"
#include "lm/rope_factors.hpp"

namespace ffe::lm {
namespace {

std::vector<float> read_vector(const ModelFile& file, const std::string& name) {
  std::vector<float> values(file.tensor_info(name).elements());
  file.read_f32(name, values);
  return values;
}

// What read_rows_f32() checks of values, for blocks that are not converted: they begin with their
// fp16 scale, in Q4_1 followed by the minimum.
void check_scales(const ModelFile& file, const TensorInfo& info) {
  const auto broken = [](const uint8_t* half) { return (get_le16(half) & 0x7c00) == 0x7c00; };
  const size_t step = block_bytes(info.dtype);
  for (uint64_t row = 0; row < info.rows(); ++row) {
    const ByteView bytes = file.raw_row(info.name, row);
    for (size_t at = 0; at < bytes.size(); at += step) {
      const uint8_t* block = bytes.data() + at;
      if (!broken(block) && (info.dtype != DType::kQ4_1 || !broken(block + 2))) continue;
      throw Error(ErrorCode::kBadInput,
                  file.path().filename().string() + ": tensor \"" + info.name +
                      "\" has a scale that is not a number or infinite",
                  "the model file is damaged");
    }
  }
}

std::unique_ptr<FrozenMatrix> read_matrix(const ModelFile& file, const std::string& name,
                                          NumericPath path, int threads) {
  const TensorInfo& info = file.tensor_info(name);
  if (path == NumericPath::kQuantised && can_stay_quantised(info.dtype)) {
    check_scales(file, info);
    return make_quantised_matrix(
        info.dtype, info.rows(), info.columns(),
        [&](uint64_t row) { return file.raw_row(name, row); }, threads);
  }
  return make_frozen_matrix(
      path, info.rows(), info.columns(),
      [&](uint64_t first, std::span<float> out) { file.read_rows_f32(name, first, out); }, threads);
}

BaseLayer read_layer(const ModelFile& file, uint32_t index, NumericPath path, int threads) {
  const std::string prefix = "model.layers." + std::to_string(index) + ".";
  BaseLayer layer;
  layer.input_norm = read_vector(file, prefix + "input_layernorm.weight");
  layer.post_norm = read_vector(file, prefix + "post_attention_layernorm.weight");
  if (file.config().qk_norm) {
    layer.q_norm = read_vector(file, prefix + "self_attn.q_norm.weight");
    layer.k_norm = read_vector(file, prefix + "self_attn.k_norm.weight");
  }
  for (size_t p = 0; p < kProjections; ++p) {
    const std::string module = projection_module(index, static_cast<Projection>(p));
    layer.weight[p] = read_matrix(file, module + ".weight", path, threads);
    if (file.has(module + ".bias")) layer.bias[p] = read_vector(file, module + ".bias");
  }
  return layer;
}

// As the reference implementation rounds: frequency, angle, cosine each to fp32.
RotaryTable make_rotary_table(const ModelConfig& config, size_t positions, int threads) {
  const std::vector<double> frequencies = rope_frequencies(config);
  const size_t half = frequencies.size();
  RotaryTable table;
  table.positions = positions;
  table.cosine.resize(positions * half);
  table.sine.resize(positions * half);
  parallel_for(threads, positions, [&](size_t position) {
    for (size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * static_cast<float>(frequencies[i]);
      table.cosine[position * half + i] = static_cast<float>(std::cos(double{angle}));
      table.sine[position * half + i] = static_cast<float>(std::sin(double{angle}));
    }
  });
  return table;
}

}  // namespace

BaseModel::BaseModel(const ModelFile& file, NumericPath path, int thread_count)
    : config(file.config()), numeric(path), threads(thread_count) {
  embedding = read_matrix(file, "model.embed_tokens.weight", path, threads);
  if (!config.tie_embeddings) output = read_matrix(file, "lm_head.weight", path, threads);
  final_norm = read_vector(file, "model.norm.weight");
  for (uint32_t i = 0; i < config.layers; ++i) {
    layers.push_back(read_layer(file, i, path, threads));
  }
}

const RotaryTable& BaseModel::rotary(size_t positions) const {
  if (positions > rotary_.positions) {
    // A long text asks for one position more each time; the table grows in larger steps.
    constexpr size_t kStep = 2048;
    rotary_ = make_rotary_table(config, (positions + kStep - 1) / kStep * kStep, threads);
  }
  return rotary_;
}

AttentionShape BaseModel::attention_shape() const {
  return {config.heads, config.kv_heads, config.head_dim, config.sliding_window};
}

}  // namespace ffe::lm
