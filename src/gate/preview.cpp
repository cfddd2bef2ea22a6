#include "gate/preview.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace ffe::gate {
namespace {

// The values again and again until there are so many, ascending.
std::vector<int64_t> repeated(const std::vector<int64_t>& values, size_t count) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < count; ++i) out.push_back(values[i * values.size() / count]);
  return out;
}

}  // namespace

Preview preview(const std::vector<lm::Row>& rows, const std::vector<lm::Row>& sample,
                const session::GatePolicy& policy, uint32_t contributors, ByteView seed,
                Learner& learner, const StageProgress& progress) {
  std::vector<Pair> pairs;
  for (const Pair& p : Pool(sample).pairs()) {
    const lm::Row &a = sample[p.a], &b = sample[p.b];
    if (learner.fits(a, a) && learner.fits(b, b) && learner.fits(a, b) && learner.fits(b, a)) {
      pairs.push_back(p);
    }
  }
  Bundle small = bundle(policy.statistic);
  // Whole steps of `batch` rows, from half of the pairs.
  const size_t half = pairs.size() / 2 * 2;
  small.calibration_rows = static_cast<uint32_t>(
      std::min<size_t>(half / small.batch * small.batch, small.calibration_rows));
  if (small.calibration_rows == 0) {
    throw Error(ErrorCode::kGate,
                "the sample has " + std::to_string(pairs.size()) +
                    " usable pairs of rows; this measurement needs 8",
                "ask the opener for a larger public sample");
  }
  // As many steps as in the session: what fewer rows do not show, they show more often.
  const uint32_t steps_of_epoch = small.calibration_rows / small.batch;
  small.epochs = (small.recipe.steps + steps_of_epoch - 1) / steps_of_epoch;
  small.recipe.steps = small.epochs * steps_of_epoch;

  Trial trial{small, seed, H256(), {}, {}};
  const size_t calibrating = small.calibration_rows / 2;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const lm::Row &a = sample[pairs[i].a], &b = sample[pairs[i].b];
    if (i < calibrating) {
      trial.calibration.insert(trial.calibration.end(), {&a, &b});
    } else {
      trial.pairs.emplace_back(&a, &b);
    }
  }
  RowRefs own;
  for (const lm::Row& row : rows) {
    if (own.size() < small.gate_rows && learner.fits(row, row)) own.push_back(&row);
  }
  if (own.empty()) {
    throw Error(ErrorCode::kGate, "no row has an answer within the sequence length",
                "shorten the rows");
  }
  const TrialResult result = run_trial(trial, 0, {own}, {}, learner, progress);

  Preview out;
  out.calibration_rows = small.calibration_rows;
  out.gate_rows = static_cast<uint32_t>(own.size());
  out.run = compare(result.reference, result.arms.front(), policy);
  out.projected = harm_of(repeated(out.run.harm, policy.eval_pairs),
                          repeated(out.run.relevance_lost, policy.eval_pairs), policy);
  out.threshold = rejection_threshold(contributors, policy.alpha_inverse);
  return out;
}

}  // namespace ffe::gate
