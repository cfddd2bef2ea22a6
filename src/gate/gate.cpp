#include "gate/gate.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "gate/evidence.hpp"
#include "gate/intake.hpp"
#include "gate/report_text.hpp"
#include "session/randomness.hpp"

namespace ffe::gate {

using session::GateFinding;
using session::GateRun;
using session::Reason;

namespace {

constexpr double kSampleMargin = 0.5;  // nats between the pool's and the sample's mean loss
constexpr int64_t kRelevanceTolerance = 50'000;
constexpr size_t kSampleRows = 256;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

class GateJob {
 public:
  GateJob(const GateInputs& inputs, Learner& learner, const StageProgress& progress)
      : inputs_(inputs),
        learner_(learner),
        progress_(progress),
        bundle_(bundle(inputs.policy.statistic)),
        pool_(inputs.pool) {}

  GateResult run() {
    begin_report();
    take_in_all();
    if (draw() && base_is_fit()) {
      judge();
    }
    return finish();
  }

 private:
  void begin_report();
  void take_in_all();
  bool draw();
  bool base_is_fit();
  bool sample_is_fit(const PairLosses& base);
  void judge();
  bool calibration_is_fit(const PairLosses& reference);
  void confirm_suspects(const std::vector<size_t>& tried);
  void decide_by_evidence(Intake& intake);
  void drop_unlikely(Intake& intake, const std::vector<double>& losses, double threshold);
  void settle_rows();
  bool abort(std::string outcome, std::string text);
  GateResult finish();

  Uint128 threshold() const {
    return rejection_threshold(static_cast<uint32_t>(inputs_.contributions.size()),
                               inputs_.policy.alpha_inverse);
  }

  const GateInputs& inputs_;
  Learner& learner_;
  const StageProgress& progress_;
  const Bundle bundle_;
  Pool pool_;
  Trial trial_{bundle_, inputs_.seed, inputs_.seal_hash, {}, {}};
  std::vector<Intake> intakes_;
  PairLosses base_;
  GateResult result_;
};

void GateJob::begin_report() {
  session::check_bounds(inputs_.policy);
  session::seed_commitment(inputs_.seed);  // 32 bytes
  session::GateReport& r = result_.report;
  r.seal_hash = inputs_.seal_hash;
  r.policy = inputs_.policy;
  r.max_rows = inputs_.max_rows;
  r.engine = inputs_.engine;
  r.numeric_path = inputs_.numeric_path;
  r.outcome = "fit";
  r.outcome_text = "the evaluation pool is fit to judge by";
  r.pool_rows = inputs_.pool.size();
  r.pool_duplicates = pool_.duplicates();
  r.calibration_rows = bundle_.calibration_rows;
}

void GateJob::take_in_all() {
  const size_t total = inputs_.contributions.size();
  for (size_t i = 0; i < total; ++i) {
    intakes_.push_back(take_in(inputs_.contributions[i], inputs_, learner_));
    if (progress_) progress_("checking rows", i + 1, total);
  }
  result_.report.pool_overlap = decontaminate(pool_, intakes_);

  std::vector<RowText> texts;
  for (const lm::Row& row : pool_.rows()) texts.push_back(row_text(row));
  const PoolHabits habits = habits_of(texts);
  for (Intake& intake : intakes_) {
    if (!intake.decided) screen(intake, habits, inputs_.max_rows);
  }
}

bool GateJob::abort(std::string outcome, std::string text) {
  result_.aborted = true;
  result_.report.outcome = std::move(outcome);
  result_.report.outcome_text = std::move(text);
  return false;
}

bool GateJob::draw() {
  std::vector<Pair> usable;
  for (const Pair& pair : pool_.pairs()) {
    const lm::Row& a = pool_.rows()[pair.a];
    const lm::Row& b = pool_.rows()[pair.b];
    if (learner_.fits(a, a) && learner_.fits(b, b) && learner_.fits(a, b) && learner_.fits(b, a)) {
      usable.push_back(pair);
    }
  }
  result_.report.pool_pairs = usable.size();
  crypto::ChaChaRng rng = session::pool_rng(inputs_.seed, inputs_.seal_hash);
  Draw drawn;
  try {
    drawn = draw_pairs(usable, bundle_.calibration_rows, inputs_.policy.eval_pairs, rng);
  } catch (const Error& e) {
    return abort("too_small", e.what());
  }
  for (const Pair& pair : drawn.calibration) {
    trial_.calibration.push_back(&pool_.rows()[pair.a]);
    trial_.calibration.push_back(&pool_.rows()[pair.b]);
  }
  for (const Pair& pair : drawn.evaluation) {
    trial_.pairs.emplace_back(&pool_.rows()[pair.a], &pool_.rows()[pair.b]);
    result_.evaluation_rows.push_back(pair.a);
    result_.evaluation_rows.push_back(pair.b);
  }
  return true;
}

bool GateJob::base_is_fit() {
  base_ = measure_base(trial_, learner_, progress_);
  session::PoolFitness& f = result_.report.fitness;
  f.relevance = gains(base_.swapped, base_.matched);
  f.relevance_evidence = one_sided(f.relevance, kRelevanceTolerance).floor();
  if (f.relevance_evidence < inputs_.policy.alpha_inverse) {
    return abort("unfit", irrelevant_pool_text(f, inputs_.policy));
  }
  return sample_is_fit(base_);
}

bool GateJob::sample_is_fit(const PairLosses& base) {
  session::GateReport& r = result_.report;
  std::vector<ScoreItem> items;
  for (const lm::Row& row : inputs_.sample) {
    if (items.size() < kSampleRows && learner_.fits(row, row)) {
      items.push_back({kBaseModel, &row, &row});
    }
  }
  r.sample_rows = items.size();
  const double pool_loss = mean(base.rows);
  r.fitness.pool_loss_micro_nats = to_micro(pool_loss);
  if (items.empty()) return abort("unfit", "the public sample of the pool has no usable row");
  const double sample_loss = mean(learner_.losses(items));
  r.fitness.sample_loss_micro_nats = to_micro(sample_loss);
  if (!(std::abs(pool_loss - sample_loss) <= kSampleMargin)) {
    return abort("unfit", unlike_sample_text(r.fitness));
  }
  return true;
}

bool GateJob::calibration_is_fit(const PairLosses& reference) {
  session::PoolFitness& f = result_.report.fitness;
  f.calibration = gains(base_.matched, reference.matched);
  f.calibration_evidence = one_sided(f.calibration, 0).floor();
  return f.calibration_evidence >= inputs_.policy.alpha_inverse ||
         abort("unfit", useless_pool_text(f, inputs_.policy));
}

void GateJob::judge() {
  std::vector<size_t> tried;
  std::vector<RowRefs> arms;
  std::vector<RowRefs> rows;
  for (size_t i = 0; i < intakes_.size(); ++i) {
    if (intakes_[i].decided) continue;
    tried.push_back(i);
    arms.push_back(intakes_[i].gate_rows(bundle_.gate_rows));
    rows.push_back(intakes_[i].candidate_rows());
    intakes_[i].finding.counts.gate_rows = arms.back().size();
  }
  const TrialResult trial = run_trial(trial_, 0, arms, rows, learner_, progress_);
  if (!calibration_is_fit(trial.reference)) return;

  const double unlikely = unlikely_threshold(trial.reference.rows);
  for (size_t t = 0; t < tried.size(); ++t) {
    Intake& intake = intakes_[tried[t]];
    intake.finding.runs.push_back(compare(trial.reference, trial.arms[t], inputs_.policy));
    if (inputs_.policy.accept_rule == 1) {
      intake.finding.gain = gains(trial.reference.matched, trial.arms[t].matched);
      intake.finding.gain_evidence = one_sided(intake.finding.gain, 0).floor();
    }
    drop_unlikely(intake, trial.screened[t], unlikely);
  }
  confirm_suspects(tried);
  for (size_t i : tried) decide_by_evidence(intakes_[i]);
  settle_rows();
}

// Two further seeds for those whom the first would reject: training noise must not cost a stake.
void GateJob::confirm_suspects(const std::vector<size_t>& tried) {
  std::vector<size_t> suspects;
  std::vector<RowRefs> arms;
  for (size_t i : tried) {
    if (intakes_[i].finding.runs[0].evidence < threshold()) continue;
    suspects.push_back(i);
    arms.push_back(intakes_[i].gate_rows(bundle_.gate_rows));
  }
  if (suspects.empty()) return;
  const StageProgress confirming = [this](std::string_view, uint64_t done, uint64_t total) {
    if (progress_) progress_("confirming", done, total);
  };
  for (uint32_t k = 1; k < bundle_.seeds; ++k) {
    const TrialResult trial =
        run_trial(trial_, static_cast<uint8_t>(k), arms, {}, learner_, confirming);
    for (size_t s = 0; s < suspects.size(); ++s) {
      intakes_[suspects[s]].finding.runs.push_back(
          compare(trial.reference, trial.arms[s], inputs_.policy));
    }
  }
}

void GateJob::decide_by_evidence(Intake& intake) {
  GateFinding& f = intake.finding;
  f.evidence =
      std::min_element(f.runs.begin(), f.runs.end(), [](const GateRun& a, const GateRun& b) {
        return a.evidence < b.evidence;
      })->evidence;
  const std::string text = evidence_text(f, inputs_.policy, threshold());
  if (f.evidence >= threshold()) {
    intake.decide(Reason::kHarmful, text);
  } else if (f.runs[0].suspicion >= kSuspicion) {
    intake.decide(Reason::kSuspectedHarm, text);
  } else if (backdoor_suspected(intake)) {
    intake.decide(Reason::kBackdoor, backdoor_text(f));
  } else {
    f.text = text;
  }
}

void GateJob::drop_unlikely(Intake& intake, const std::vector<double>& losses, double threshold) {
  std::vector<size_t> left;
  for (size_t i = 0; i < intake.candidates.size(); ++i) {
    if (losses[i] <= threshold) left.push_back(intake.candidates[i]);
  }
  const size_t dropped = intake.candidates.size() - left.size();
  intake.finding.counts.unlikely += dropped;
  intake.finding.counts.kept -= dropped;
  intake.candidates = std::move(left);
}

// In sealing order: near-copies of what is already accepted go, then the last verdicts fall.
void GateJob::settle_rows() {
  std::vector<ShingleSet> templates;
  for (const Intake& intake : intakes_) {
    if (!intake.decided) templates.push_back(template_of(intake.prints));
  }
  const ShingleSet ignored = shared_template(templates);
  NearCopyIndex accepted;
  for (Intake& intake : intakes_) {
    if (intake.decided) continue;
    std::vector<size_t> left;
    for (size_t row : intake.candidates) {
      if (!accepted.find(content(intake.prints[row], ignored))) left.push_back(row);
    }
    session::RowCounts& counts = intake.finding.counts;
    counts.copies = intake.candidates.size() - left.size();
    counts.kept -= counts.copies;
    intake.candidates = std::move(left);
    if (counts.kept < inputs_.policy.min_rows) {
      intake.decide(Reason::kTooFewRows, few_rows_text(intake.finding, inputs_.policy));
    } else if (inputs_.policy.accept_rule == 1 && intake.finding.gain_evidence < kSuspicion) {
      intake.decide(Reason::kNoGain, no_gain_text(intake.finding));
    } else {
      intake.decided = true;
      counts.used = intake.candidates.size();
      for (size_t row : intake.candidates) accepted.add(content(intake.prints[row], ignored));
    }
  }
}

GateResult GateJob::finish() {
  for (Intake& intake : intakes_) {
    const GateFinding& f = intake.finding;
    result_.report.contributors.push_back(f);
    result_.verdicts.push_back({f.contributor, f.blob_root, f.verdict, f.reason, f.evidence});
    const bool accepted = !result_.aborted && f.verdict == session::Verdict::kAccept;
    result_.rows.push_back(accepted ? intake.candidates : std::vector<size_t>{});
  }
  return std::move(result_);
}

}  // namespace

GateResult run_gate(const GateInputs& inputs, Learner& learner, const StageProgress& progress) {
  return GateJob(inputs, learner, progress).run();
}

session::RejectionCertificate rejection_certificate(const session::GateReport& report,
                                                    size_t contributor, const H256& gate_root) {
  const GateFinding& f = report.contributors.at(contributor);
  if (f.verdict != session::Verdict::kReject) {
    throw Error(ErrorCode::kInternal, "no rejection to certify");
  }
  session::RejectionCertificate c;
  c.seal_hash = report.seal_hash;
  c.contributor = f.contributor;
  c.blob_root = f.blob_root;
  c.reason = f.reason;
  c.eval_pairs = report.policy.eval_pairs;
  c.evidence = f.evidence;
  c.gate_root = gate_root;
  // The numbers of the run whose evidence counts.
  for (const GateRun& run : f.runs) {
    if (run.evidence != f.evidence) continue;
    c.harm_micro_nats = mean_micro(run.harm);
    c.relevance_lost_micro_nats = mean_micro(run.relevance_lost);
    break;
  }
  return c;
}

}  // namespace ffe::gate
