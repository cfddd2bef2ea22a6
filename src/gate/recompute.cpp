#include "gate/recompute.hpp"

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>

#include "gate/evidence.hpp"
#include "gate/statistic.hpp"

namespace ffe::gate {

using session::GateFinding;
using session::GateReport;
using session::GateRun;
using session::Reason;
using session::ReportCheck;

namespace {

// A value that cannot be recomputed (out of order or range) fails its check, not the whole run.
template <class F>
ReportCheck check(std::string name, F&& passed, std::string detail) {
  try {
    return {std::move(name), passed(), std::move(detail)};
  } catch (const Error& e) {
    return {std::move(name), false, e.what()};
  }
}

bool right_length(const std::vector<int64_t>& values, const GateReport& report) {
  return values.size() == report.policy.eval_pairs;
}

bool runs_agree(const GateFinding& f, const GateReport& report) {
  for (const GateRun& run : f.runs) {
    if (!right_length(run.harm, report) || !right_length(run.relevance_lost, report)) return false;
    const Harm found = harm_of(run.harm, run.relevance_lost, report.policy);
    if (found.evidence != run.evidence || found.suspicion != run.suspicion) return false;
  }
  return true;
}

Uint128 smallest(const GateFinding& f) {
  Uint128 out = 0;
  for (size_t i = 0; i < f.runs.size(); ++i) {
    if (i == 0 || f.runs[i].evidence < out) out = f.runs[i].evidence;
  }
  return out;
}

// What the evidence alone commands; verdicts for other reasons need none.
bool verdict_follows(const GateFinding& f, Uint128 threshold, uint32_t seeds) {
  if (session::verdict_of(f.reason) != f.verdict || f.evidence != smallest(f)) return false;
  if (f.runs.empty()) {
    return f.reason != Reason::kHarmful && f.reason != Reason::kSuspectedHarm &&
           f.reason != Reason::kNone;
  }
  const bool confirmed = f.runs[0].evidence >= threshold;
  if (f.runs.size() != (confirmed ? seeds : 1)) return false;
  if (f.evidence >= threshold) return f.reason == Reason::kHarmful;
  if (f.runs[0].suspicion >= kSuspicion) return f.reason == Reason::kSuspectedHarm;
  return f.reason != Reason::kHarmful && f.reason != Reason::kSuspectedHarm;
}

bool gain_agrees(const GateFinding& f, const GateReport& report) {
  if (report.policy.accept_rule == 0 || f.runs.empty()) return f.gain.empty();
  if (!right_length(f.gain, report) || one_sided(f.gain, 0).floor() != f.gain_evidence)
    return false;
  return f.verdict != session::Verdict::kAccept || f.gain_evidence >= kSuspicion;
}

void check_fitness(const GateReport& report, std::vector<ReportCheck>& checks) {
  const session::PoolFitness& f = report.fitness;
  const Uint128 needed = report.policy.alpha_inverse;
  checks.push_back(check(
      "pool: answers are relevant",
      [&] {
        return right_length(f.relevance, report) &&
               one_sided(f.relevance, 50'000).floor() == f.relevance_evidence &&
               f.relevance_evidence >= needed;
      },
      "evidence " + session::to_decimal(f.relevance_evidence)));
  checks.push_back(check(
      "pool: calibration helps",
      [&] {
        return right_length(f.calibration, report) &&
               one_sided(f.calibration, 0).floor() == f.calibration_evidence &&
               f.calibration_evidence >= needed;
      },
      "evidence " + session::to_decimal(f.calibration_evidence)));
  // One micro-nat of rounding on either side.
  const int64_t apart = std::llabs(f.pool_loss_micro_nats - f.sample_loss_micro_nats);
  checks.push_back({"pool: the public sample looks like it",
                    report.sample_rows > 0 && apart <= 500'001,
                    fmt::format("{} micro-nats apart", apart)});
}

}  // namespace

std::vector<ReportCheck> recompute(const GateReport& report) {
  std::vector<ReportCheck> checks;
  if (report.outcome != "fit") {
    const bool none =
        std::none_of(report.contributors.begin(), report.contributors.end(),
                     [](const GateFinding& f) { return f.reason == Reason::kHarmful; });
    checks.push_back({"session was aborted", none, report.outcome_text});
    return checks;
  }
  check_fitness(report, checks);
  const Uint128 threshold = rejection_threshold(static_cast<uint32_t>(report.contributors.size()),
                                                report.policy.alpha_inverse);
  const uint32_t seeds = bundle(report.policy.statistic).seeds;
  for (const GateFinding& f : report.contributors) {
    const std::string who = crypto::checksum_address(f.contributor);
    checks.push_back(check(
        who + ": evidence", [&] { return runs_agree(f, report) && gain_agrees(f, report); },
        fmt::format("{} of {} seeds, threshold {}", session::to_decimal(f.evidence), f.runs.size(),
                    session::to_decimal(threshold))));
    checks.push_back(check(
        who + ": verdict", [&] { return verdict_follows(f, threshold, seeds); },
        fmt::format("{} ({})", session::name(f.verdict), session::name(f.reason))));
  }
  return checks;
}

}  // namespace ffe::gate
