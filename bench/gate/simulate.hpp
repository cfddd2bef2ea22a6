// The gate's decision rule on simulated measurements: what it does to the honest, and its power.
#pragma once

#include <cstdint>
#include <string>

namespace ffe::bench {

struct SimulationOptions {
  uint64_t sessions = 10'000;
  uint64_t seed = 1;
};

// Markdown: slashed and excluded among honest contributors of three worlds, then power against
// effect, pairs and training noise.
std::string simulate(const SimulationOptions& options);

}  // namespace ffe::bench
