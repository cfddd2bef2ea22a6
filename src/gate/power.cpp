#include "gate/power.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gate/evidence.hpp"

namespace ffe::gate {
namespace {

constexpr int kSeeds = 3;
constexpr size_t kNeighbours = 10;
// What every tenth pair spreading three times as far does to the standard deviation: 0.9 + 0.1 · 9.
const double kHeavySpread = std::sqrt(1.8);

double normal(crypto::ChaChaRng& rng) {
  const double u = rng.uniform01() + 0x1p-54;
  return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * rng.uniform01());
}

struct Pairs {
  std::vector<double> harm, lost;
};

Pairs draw(const Effect& e, size_t n, crypto::ChaChaRng& rng) {
  Pairs out;
  double common = 0;
  const auto value = [&](size_t pair, double mean, double sd) {
    const double wide = e.heavy_tails ? (rng.below(10) == 0 ? 3 : 1) / kHeavySpread : 1;
    const double special = pair % 3 == 0 ? -e.specialism : e.specialism / 2;
    return mean + special +
           sd * (std::sqrt(e.correlation) * common +
                 std::sqrt(1 - e.correlation) * wide * normal(rng));
  };
  for (size_t p = 0; p < n; ++p) {
    if (p % kNeighbours == 0) common = normal(rng);
    out.harm.push_back(value(p, e.harm, e.harm_sd));
    out.lost.push_back(value(p, e.lost, e.lost_sd));
  }
  return out;
}

std::vector<int64_t> shifted(const std::vector<double>& nats, double noise) {
  std::vector<int64_t> out;
  for (const double v : nats) out.push_back(clip_micro(v + noise));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

SimulatedVerdict simulate(const Effect& effect, const session::GatePolicy& policy,
                          uint32_t contributors, crypto::ChaChaRng& rng) {
  const Uint128 threshold = rejection_threshold(contributors, policy.alpha_inverse);
  const Pairs pairs = draw(effect, policy.eval_pairs, rng);
  SimulatedVerdict out{.rejected = true};
  // Two further seeds for those whom the first would reject, as the gate does it.
  for (int k = 0; k < kSeeds && out.rejected; ++k) {
    const double harm_noise = effect.training_noise * normal(rng);
    const double lost_noise = effect.training_noise * normal(rng);
    const Harm found =
        harm_of(shifted(pairs.harm, harm_noise), shifted(pairs.lost, lost_noise), policy);
    if (k == 0) out.excluded = found.suspicion >= kSuspicion;
    out.rejected = found.evidence >= threshold;
  }
  if (out.rejected) out.excluded = false;
  return out;
}

Power power(const Effect& effect, const session::GatePolicy& policy, uint32_t contributors,
            uint32_t trials) {
  const H256 key{};
  crypto::ChaChaRng rng(key.bytes);
  Power out;
  for (uint32_t t = 0; t < trials; ++t) {
    const SimulatedVerdict v = simulate(effect, policy, contributors, rng);
    out.rejected += v.rejected;
    out.excluded += v.excluded;
  }
  out.rejected /= trials;
  out.excluded /= trials;
  return out;
}

}  // namespace ffe::gate
