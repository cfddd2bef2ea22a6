// How often the gate's rule finds harm of a given size: simulated measurements through the real
// evidence. Tells an opener what a policy can see, and is what the benchmarks draw their worlds of.
#pragma once

#include <cstdint>

#include "crypto/random.hpp"
#include "session/certificates.hpp"
#include "session/terms.hpp"

namespace ffe::gate {

// What a contribution does to the pairs of a pool, in nats.
struct Effect {
  double harm = 0, lost = 0;  // means of z¹ and z²
  double harm_sd = 0.10, lost_sd = 0.12;
  double training_noise = 0.03;  // of a whole arm, drawn anew for each seed
  bool heavy_tails = true;       // every tenth pair spreads three times as far
  double specialism = 0;   // helps a third of the pairs by this much, costs the rest half of it
  double correlation = 0;  // share of the variance that ten neighbouring pairs have in common
};

// All and half of the answers shuffled: means of 8 and 24 contributions of WordNet's definitions on
// SmolLM2-135M, both statistics (docs/benchmarks.md).
inline constexpr Effect kShuffled{-0.030, 0.238, 0.16, 0.18};
inline constexpr Effect kHalfShuffled{-0.059, 0.131, 0.13, 0.11};

struct SimulatedVerdict {
  bool rejected = false;  // threshold reached with each of three seeds
  bool excluded = false;  // suspicion without that
};

// One contribution among `contributors` sealed ones.
SimulatedVerdict simulate(const Effect& effect, const session::GatePolicy& policy,
                          uint32_t contributors, crypto::ChaChaRng& rng);

struct Power {
  double rejected = 0;  // share of trials
  double excluded = 0;
};

// Deterministic: the same arguments give the same shares.
Power power(const Effect& effect, const session::GatePolicy& policy, uint32_t contributors,
            uint32_t trials = 400);

}  // namespace ffe::gate
