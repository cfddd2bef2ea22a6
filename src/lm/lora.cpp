#include "lm/lora.hpp"

#include <cmath>

#include "base/error.hpp"
#include "crypto/random.hpp"

namespace ffe::lm {

LoraAdapter make_adapter(const ModelConfig& model, const LoraConfig& config, const H256& seed) {
  if (config.rank < 1 || config.rank > 256) {
    throw Error(ErrorCode::kUsage,
                "LoRA rank " + std::to_string(config.rank) + " is not in 1..256");
  }
  if (config.targets.none()) throw Error(ErrorCode::kUsage, "LoRA without target projections");
  if (!(config.dropout >= 0 && config.dropout < 1)) {
    throw Error(ErrorCode::kUsage, "LoRA dropout is not in [0, 1)");
  }
  if (!(config.alpha > 0) || !std::isfinite(config.alpha)) {
    throw Error(ErrorCode::kUsage, "LoRA alpha is not positive");
  }
  LoraAdapter adapter;
  adapter.rank = config.rank;
  adapter.alpha = config.alpha;
  adapter.dropout = config.dropout;
  adapter.base_model = model.name;
  for (size_t p = 0; p < kProjections; ++p) {
    if (config.targets.test(p)) adapter.targets.push_back(static_cast<Projection>(p));
  }
  crypto::ChaChaRng rng({seed.data(), seed.size()});
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    for (Projection p : adapter.targets) {
      LoraMatrices& m = adapter.modules[projection_module(layer, p)];
      const size_t columns = projection_columns(model, p);
      const double bound = 1.0 / std::sqrt(static_cast<double>(columns));
      m.a.resize(config.rank * columns);
      for (float& value : m.a) value = static_cast<float>((2 * rng.uniform01() - 1) * bound);
      m.b.assign(size_t{projection_rows(model, p)} * config.rank, 0.0f);
    }
  }
  return adapter;
}

}  // namespace ffe::lm
