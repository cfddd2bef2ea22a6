#include "simulate.hpp"

#include <algorithm>
#include <fmt/core.h>

#include "crypto/hash.hpp"
#include "gate/power.hpp"

namespace ffe::bench {
namespace {

using crypto::ChaChaRng;
using gate::Effect;
using session::GatePolicy;

ChaChaRng rng_of(uint64_t seed, const std::string& label) {
  return ChaChaRng(crypto::sha256(as_bytes(std::to_string(seed) + label)).bytes);
}

// The sum of twelve uniform numbers: near enough to normal, and bounded.
double bell(ChaChaRng& rng) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += rng.uniform01();
  return sum;
}

// Harmless means: no mean above its tolerance.
double harmless(double mean, uint32_t tolerance_micro) {
  return std::min(mean, tolerance_micro * 1e-6);
}

// Means and deviations as measured on 66 honest contributions (docs/benchmarks.md).
Effect measured(const GatePolicy& policy, ChaChaRng& rng) {
  Effect e;
  e.harm = harmless(0.011 + 0.049 * bell(rng), policy.harm_tolerance_micro);
  e.lost = harmless(-0.006 + 0.037 * bell(rng), policy.relevance_tolerance_micro);
  e.harm_sd = 0.06 + 0.08 * rng.uniform01();
  e.lost_sd = 0.06 + 0.10 * rng.uniform01();
  return e;
}

Effect noisy(const GatePolicy& policy, ChaChaRng& rng) {
  Effect e = measured(policy, rng);
  e.training_noise = 0.06;
  return e;
}

Effect specialist(const GatePolicy& policy, ChaChaRng& rng) {
  Effect e = measured(policy, rng);
  e.specialism = 0.1 + 0.2 * rng.uniform01();
  e.correlation = 0.5;
  return e;
}

// The worst that still counts as harmless: the tolerance itself, in both values.
Effect edge(const GatePolicy& policy, ChaChaRng& rng) {
  Effect e = measured(policy, rng);
  e.harm = policy.harm_tolerance_micro * 1e-6;
  e.lost = policy.relevance_tolerance_micro * 1e-6;
  e.training_noise = 0;
  return e;
}

Effect noisy_edge(const GatePolicy& policy, ChaChaRng& rng) {
  Effect e = edge(policy, rng);
  e.training_noise = 0.03;
  return e;
}

struct World {
  const char* name;
  Effect (*draw)(const GatePolicy&, ChaChaRng&);
};

constexpr World kWorlds[] = {{"as measured", measured},
                             {"as measured, twice the training noise", noisy},
                             {"specialists, correlated rows", specialist},
                             {"at the tolerance in both values", edge},
                             {"at the tolerance, with training noise", noisy_edge}};

GatePolicy policy_with(uint16_t pairs) {
  GatePolicy policy;
  policy.eval_pairs = pairs;
  return policy;
}

std::string honest_table(const SimulationOptions& options) {
  const GatePolicy policy;
  std::string out = fmt::format(
      "| honest world ({} sessions of 3 to 20, {} pairs) | contributors | slashed | excluded |\n"
      "|---|---|---|---|\n",
      options.sessions, policy.eval_pairs);
  for (const World& world : kWorlds) {
    ChaChaRng rng = rng_of(options.seed, world.name);
    uint64_t contributors = 0, slashed = 0, excluded = 0;
    for (uint64_t s = 0; s < options.sessions; ++s) {
      const auto n = static_cast<uint32_t>(3 + rng.below(18));
      for (uint32_t i = 0; i < n; ++i) {
        const Effect effect = world.draw(policy, rng);
        const gate::SimulatedVerdict v = gate::simulate(effect, policy, n, rng);
        ++contributors;
        slashed += v.rejected;
        excluded += v.excluded;
      }
    }
    out += fmt::format("| {} | {} | {} | {} ({:.2f} %) |\n", world.name, contributors, slashed,
                       excluded,
                       100.0 * static_cast<double>(excluded) / static_cast<double>(contributors));
  }
  return out;
}

std::string power_table() {
  constexpr uint16_t kPairs[] = {32, 64, 96, 128, 192, 256};
  constexpr double kLost[] = {0.08, 0.10, 0.12, 0.15, 0.20, 0.25, 0.35};
  std::string out;
  for (const double noise : {0.03, 0.06}) {
    out += fmt::format("\n| lost relevance, nats (sd 0.15, training noise {}) |", noise);
    for (const uint16_t pairs : kPairs) out += fmt::format(" {} pairs |", pairs);
    out += "\n|---|";
    for (size_t i = 0; i < std::size(kPairs); ++i) out += "---|";
    out += "\n";
    for (const double lost : kLost) {
      out += fmt::format("| {:.2f} |", lost);
      for (const uint16_t pairs : kPairs) {
        const Effect effect{.lost = lost, .lost_sd = 0.15, .training_noise = noise};
        const gate::Power p = gate::power(effect, policy_with(pairs), 4);
        out += fmt::format(" {:.0f} / {:.0f} |", 100 * p.rejected, 100 * (p.rejected + p.excluded));
      }
      out += "\n";
    }
  }
  return out;
}

}  // namespace

std::string simulate(const SimulationOptions& options) {
  return honest_table(options) +
         "\nPower, four contributors: rejected / rejected or excluded, percent.\n" + power_table();
}

}  // namespace ffe::bench
