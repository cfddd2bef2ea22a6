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

Result judged(Result result, const session::GatePolicy& policy) {
  using session::Reason;
  if (result.runs.empty()) return result;
  result.log_evidence = smallest_evidence(result, policy).natural_log();
  if (result.reason != session::name(Reason::kHarmful) &&
      result.reason != session::name(Reason::kSuspectedHarm)) {
    return result;
  }
  Result first = result;
  first.runs.resize(1);
  Reason reason = Reason::kNone;
  if (smallest_evidence(result, policy).floor() >=
      gate::rejection_threshold(result.sealed, policy.alpha_inverse)) {
    reason = Reason::kHarmful;
  } else if (smallest_evidence(first, policy).floor() >= gate::kSuspicion) {
    reason = Reason::kSuspectedHarm;
  } else if (result.kept < policy.min_rows) {
    reason = Reason::kTooFewRows;
  }
  result.reason = session::name(reason);
  result.verdict = session::name(session::verdict_of(reason));
  return result;
}

}  // namespace ffe::bench
