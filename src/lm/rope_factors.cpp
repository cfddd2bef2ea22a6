#include "lm/rope_factors.hpp"

#include <cmath>
#include <numbers>

namespace ffe::lm {

std::vector<double> rope_divisors(const RopeScaling& scaling, double theta, uint32_t head_dim) {
  std::vector<double> out(head_dim / 2, 1.0);
  if (!scaling.enabled()) return out;
  const double low = scaling.low_freq_factor;
  const double high = scaling.high_freq_factor;
  for (size_t i = 0; i < out.size(); ++i) {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / head_dim);
    const double wavelength = 2 * std::numbers::pi / frequency;
    // How many turns the pair makes within the original context.
    const double turns = scaling.original_max_position / wavelength;
    if (turns > high) continue;
    if (turns < low) {
      out[i] = scaling.factor;
      continue;
    }
    const double blend = (turns - low) / (high - low);
    out[i] = 1.0 / ((1 - blend) / scaling.factor + blend);
  }
  return out;
}

std::vector<double> rope_frequencies(const ModelConfig& config) {
  std::vector<double> out = rope_divisors(config.rope_scaling, config.rope_theta, config.head_dim);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = std::pow(config.rope_theta, -2.0 * static_cast<double>(i) / config.head_dim) / out[i];
  }
  return out;
}

}  // namespace ffe::lm
