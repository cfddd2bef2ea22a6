// The gate's measurement: two arms with the same steps, their losses on pairs, the values that
// evidence is made of.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "gate/learner.hpp"
#include "gate/pool.hpp"
#include "session/reports.hpp"

namespace ffe::gate {

// stage: "checking rows", "training", "measuring", "confirming", …
using StageProgress = std::function<void(std::string_view stage, uint64_t done, uint64_t total)>;

// What `statistic` names.
struct Bundle {
  uint32_t calibration_rows = 96;  // |C|
  uint32_t gate_rows = 128;
  uint32_t batch = 8;  // calibration rows of a step
  uint32_t epochs = 2;
  uint32_t seeds = 3;
  MiniRecipe recipe;  // recipe.steps = epochs · calibration_rows / batch
};
Bundle bundle(uint8_t statistic);  // throws Error{kUnsupported}

using RowRefs = std::vector<const lm::Row*>;

// Losses in nats, one per pair: L (matched) and M (swapped); `rows`: ℓ(y|x) of a and b in turn.
struct PairLosses {
  std::vector<double> matched;
  std::vector<double> swapped;
  std::vector<double> rows;
};

// What the arms share.
struct Trial {
  const Bundle& bundle;
  ByteView seed;
  H256 seal_hash;
  RowRefs calibration;
  std::vector<std::pair<const lm::Row*, const lm::Row*>> pairs;
};

struct TrialResult {
  PairLosses reference;                       // A_0
  std::vector<PairLosses> arms;               // A_i, in the order of `contributions`
  std::vector<std::vector<double>> screened;  // losses of `screen` under A_0, in its order
};

// The bare base model.
PairLosses measure_base(const Trial& trial, Learner& learner, const StageProgress& progress);

// Trains A_0 and one arm per element of `contributions` with mini seed k, and measures them. Groups
// of arms go through the base together; an arm's result does not depend on its group. `screen`:
// rows, contribution by contribution, to score under A_0 as well.
TrialResult run_trial(const Trial& trial, uint8_t k, const std::vector<RowRefs>& contributions,
                      const std::vector<RowRefs>& screen, Learner& learner,
                      const StageProgress& progress);

// Sorted micro-nats and their evidence.
session::GateRun compare(const PairLosses& reference, const PairLosses& arm,
                         const session::GatePolicy& policy);
// clip(from - to), sorted.
std::vector<int64_t> gains(const std::vector<double>& from, const std::vector<double>& to);

}  // namespace ffe::gate
