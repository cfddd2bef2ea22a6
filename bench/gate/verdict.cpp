#include "verdict.hpp"

namespace ffe::bench {

gate::EValue smallest_evidence(const Result& result, const session::GatePolicy& policy) {
  gate::EValue out(1);
  for (size_t i = 0; i < result.runs.size(); ++i) {
    const gate::EValue e = gate::combined(result.runs[i].harm, policy.harm_tolerance_micro,
                                          result.runs[i].lost, policy.relevance_tolerance_micro);
    if (i == 0 || e.natural_log() < out.natural_log()) out = e;
  }
  return out;
}

namespace {

std::vector<int64_t> repeated(const std::vector<int64_t>& ascending, uint32_t times) {
  std::vector<int64_t> out;
  for (const int64_t v : ascending) out.insert(out.end(), times, v);
  return out;
}

bool by_evidence(const std::string& reason) {
  using session::Reason;
  return reason == session::name(Reason::kHarmful) ||
         reason == session::name(Reason::kSuspectedHarm) || reason == session::name(Reason::kNone);
}

}  // namespace

Result judged(Result result, const Rules& rules) {
  using session::Reason;
  if (result.runs.empty()) return result;
  Result scaled = result;
  for (Values& run : scaled.runs) {
    run = {repeated(run.harm, rules.repeat), repeated(run.lost, rules.repeat)};
  }
  result.log_evidence = smallest_evidence(scaled, rules.policy).natural_log();
  if (!by_evidence(result.reason)) return result;
  Reason reason = Reason::kNone;
  if (scaled.runs.size() > 1 &&
      smallest_evidence(scaled, rules.policy).floor() >=
          gate::rejection_threshold(result.sealed, rules.policy.alpha_inverse)) {
    reason = Reason::kHarmful;
  } else if (gate::harm_of(scaled.runs[0].harm, scaled.runs[0].lost, rules.policy).suspicion >=
             gate::kSuspicion) {
    reason = Reason::kSuspectedHarm;
  } else if (result.kept < rules.policy.min_rows || result.kind == "copies") {
    // Copies are counted last: whom evidence had decided before has not lost them yet.
    reason = Reason::kTooFewRows;
  }
  result.reason = session::name(reason);
  result.verdict = session::name(session::verdict_of(reason));
  return result;
}

}  // namespace ffe::bench
