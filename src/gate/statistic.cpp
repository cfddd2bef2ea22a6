#include "gate/statistic.hpp"

#include <algorithm>

#include "gate/evidence.hpp"
#include "session/randomness.hpp"

namespace ffe::gate {
namespace {

// Bounds the memory for adapters and their optimisers in large sessions.
constexpr size_t kArmsAtOnce = 24;

Progress stage(const StageProgress& progress, std::string_view name) {
  if (!progress) return {};
  return [&progress, name](uint64_t done, uint64_t total) { progress(name, done, total); };
}

// Which calibration rows each step sees: every epoch once through, in an order of the seed.
std::vector<RowRefs> schedule(const Trial& trial, crypto::ChaChaRng& rng) {
  std::vector<RowRefs> steps;
  for (uint32_t epoch = 0; epoch < trial.bundle.epochs; ++epoch) {
    RowRefs order = trial.calibration;
    rng.shuffle(order);
    for (size_t i = 0; i < order.size(); i += trial.bundle.batch) {
      const size_t end = std::min<size_t>(order.size(), i + trial.bundle.batch);
      steps.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(i),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  return steps;
}

// Arm 0 is A_0 if the first element is null; every other arm adds its own rows, spread evenly.
void train(const std::vector<RowRefs>& steps, const std::vector<const RowRefs*>& arms,
           Learner& learner, const StageProgress& progress) {
  std::vector<size_t> next(arms.size(), 0);
  for (size_t t = 0; t < steps.size(); ++t) {
    std::vector<TrainItem> items;
    for (size_t arm = 0; arm < arms.size(); ++arm) {
      for (const lm::Row* row : steps[t]) items.push_back({static_cast<int>(arm), row});
      if (arms[arm] == nullptr) continue;
      const RowRefs& own = *arms[arm];
      for (; next[arm] < own.size() && next[arm] * steps.size() / own.size() == t; ++next[arm]) {
        items.push_back({static_cast<int>(arm), own[next[arm]]});
      }
    }
    learner.step(items);
    if (progress) progress("training", t + 1, steps.size());
  }
}

// Four losses per pair and arm; the arms of one combination stand side by side.
std::vector<PairLosses> measure(const Trial& trial, const std::vector<int>& arms, Learner& learner,
                                const StageProgress& progress) {
  std::vector<ScoreItem> items;
  items.reserve(trial.pairs.size() * 4 * arms.size());
  for (const auto& [a, b] : trial.pairs) {
    for (const auto& [question, answer] :
         {std::pair{a, a}, std::pair{b, b}, std::pair{a, b}, std::pair{b, a}}) {
      for (int arm : arms) items.push_back({arm, question, answer});
    }
  }
  const std::vector<double> losses = learner.losses(items, stage(progress, "measuring"));
  std::vector<PairLosses> out(arms.size());
  for (size_t p = 0; p < trial.pairs.size(); ++p) {
    for (size_t i = 0; i < arms.size(); ++i) {
      const auto loss = [&](size_t combination) {
        return losses[(p * 4 + combination) * arms.size() + i];
      };
      out[i].rows.push_back(loss(0));
      out[i].rows.push_back(loss(1));
      out[i].matched.push_back(0.5 * (loss(0) + loss(1)));
      out[i].swapped.push_back(0.5 * (loss(2) + loss(3)));
    }
  }
  return out;
}

std::vector<std::vector<double>> score_rows(const std::vector<RowRefs>& lists, Learner& learner,
                                            const StageProgress& progress) {
  std::vector<ScoreItem> items;
  for (const RowRefs& list : lists) {
    for (const lm::Row* row : list) items.push_back({0, row, row});
  }
  const std::vector<double> losses = learner.losses(items, stage(progress, "screening rows"));
  std::vector<std::vector<double>> out;
  size_t next = 0;
  for (const RowRefs& list : lists) {
    const auto begin = losses.begin() + static_cast<std::ptrdiff_t>(next);
    out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(list.size()));
    next += list.size();
  }
  return out;
}

}  // namespace

Bundle bundle(uint8_t statistic) {
  Bundle out;
  if (statistic == 2) {
    out.calibration_rows = 48;
    out.gate_rows = 96;
  } else if (statistic != 1) {
    throw Error(ErrorCode::kUnsupported,
                "gate.statistic " + std::to_string(statistic) + " is not known to this build",
                "use 1 or 2");
  }
  out.recipe.steps = out.epochs * out.calibration_rows / out.batch;
  return out;
}

PairLosses measure_base(const Trial& trial, Learner& learner, const StageProgress& progress) {
  return measure(trial, {kBaseModel}, learner, progress)[0];
}

TrialResult run_trial(const Trial& trial, uint8_t k, const std::vector<RowRefs>& contributions,
                      const std::vector<RowRefs>& screen, Learner& learner,
                      const StageProgress& progress) {
  TrialResult result;
  for (size_t begin = 0; begin == 0 || begin < contributions.size();) {
    std::vector<const RowRefs*> arms;
    if (begin == 0) arms.push_back(nullptr);
    const size_t end = std::min(contributions.size(), begin + kArmsAtOnce - arms.size());
    for (size_t i = begin; i < end; ++i) arms.push_back(&contributions[i]);

    // The same draws for every group: equal initial matrices and equal order of rows.
    crypto::ChaChaRng rng = session::mini_rng(trial.seed, trial.seal_hash, k);
    learner.begin(arms.size(), trial.bundle.recipe, rng);
    train(schedule(trial, rng), arms, learner, progress);

    std::vector<int> indices(arms.size());
    for (size_t i = 0; i < arms.size(); ++i) indices[i] = static_cast<int>(i);
    std::vector<PairLosses> losses = measure(trial, indices, learner, progress);
    auto own = losses.begin();
    if (begin == 0) {
      result.reference = std::move(*own++);
      result.screened = score_rows(screen, learner, progress);
    }
    result.arms.insert(result.arms.end(), std::make_move_iterator(own),
                       std::make_move_iterator(losses.end()));
    if (end == contributions.size()) break;
    begin = end;
  }
  return result;
}

session::GateRun compare(const PairLosses& reference, const PairLosses& arm,
                         const session::GatePolicy& policy) {
  session::GateRun run;
  for (size_t p = 0; p < reference.matched.size(); ++p) {
    run.harm.push_back(clip_micro(arm.matched[p] - reference.matched[p]));
    run.relevance_lost.push_back(clip_micro((reference.swapped[p] - reference.matched[p]) -
                                            (arm.swapped[p] - arm.matched[p])));
  }
  std::sort(run.harm.begin(), run.harm.end());
  std::sort(run.relevance_lost.begin(), run.relevance_lost.end());
  const Harm found = harm_of(run.harm, run.relevance_lost, policy);
  run.evidence = found.evidence;
  run.suspicion = found.suspicion;
  return run;
}

std::vector<int64_t> gains(const std::vector<double>& from, const std::vector<double>& to) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < from.size(); ++i) out.push_back(clip_micro(from[i] - to[i]));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace ffe::gate
