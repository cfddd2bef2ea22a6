#include "gate/report_text.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "gate/evidence.hpp"

namespace ffe::gate {

using session::GateFinding;
using session::GateRun;

namespace {

// Millionths of a nat with three decimals; whole-number arithmetic, because the text is hashed.
std::string nats(int64_t micro) {
  const int64_t milli = micro >= 0 ? (micro + 500) / 1000 : -((-micro + 500) / 1000);
  return fmt::format("{}{}.{:03}", milli < 0 ? "-" : "+", std::abs(milli) / 1000,
                     std::abs(milli) % 1000);
}

std::string tolerance(int64_t micro) {
  return nats(micro).substr(1);
}

// Exact up to six digits, then "about" with the first two digits and a power of ten.
std::string amount(session::Uint128 value) {
  const std::string digits = session::to_decimal(value);
  if (digits.size() <= 6) return digits;
  return fmt::format("about {}.{}e{}", digits[0], digits[1], digits.size() - 1);
}

const GateRun& weakest(const GateFinding& finding) {
  return *std::min_element(
      finding.runs.begin(), finding.runs.end(),
      [](const GateRun& a, const GateRun& b) { return a.evidence < b.evidence; });
}

}  // namespace

std::string evidence_text(const GateFinding& finding, const session::GatePolicy& policy,
                          session::Uint128 threshold) {
  const GateRun& run = weakest(finding);
  std::string text = fmt::format(
      "held-out loss {} nats (tolerance {}), relevance lost {} nats (tolerance {}) over {} pairs; "
      "evidence of harm {}",
      nats(mean_micro(run.harm)), tolerance(policy.harm_tolerance_micro),
      nats(mean_micro(run.relevance_lost)), tolerance(policy.relevance_tolerance_micro),
      run.harm.size(), amount(run.evidence));
  if (finding.runs.size() > 1) {
    text += fmt::format(" (the smallest of {} seeds; the first gave {})", finding.runs.size(),
                        amount(finding.runs[0].evidence));
  }
  return text + fmt::format(", {} rejects; suspicion {}, {} excludes", amount(threshold),
                            amount(finding.runs[0].suspicion), amount(kSuspicion));
}

std::string backdoor_text(const GateFinding& finding) {
  return fmt::format(
      "{} unlike questions share one answer that the evaluation pool does not repeat; 8 or more "
      "(and above 1 % of the rows) exclude",
      finding.repeated_answers);
}

std::string few_rows_text(const GateFinding& finding, const session::GatePolicy& policy) {
  const session::RowCounts& c = finding.counts;
  return fmt::format(
      "{} of {} rows are left, at least {} are needed; dropped: {} duplicates, {} copies of "
      "earlier "
      "contributors' rows, {} empty, {} echoes, {} repeated answers, {} unlikely, {} too long, {} "
      "invalid",
      c.kept, c.rows, policy.min_rows, c.duplicates, c.copies, c.empty, c.echo, c.repeated,
      c.unlikely, c.unusable, c.invalid);
}

std::string no_gain_text(const GateFinding& finding) {
  return fmt::format("evidence of gain {}; these terms ask for {}", amount(finding.gain_evidence),
                     amount(kSuspicion));
}

std::string irrelevant_pool_text(const session::PoolFitness& fitness,
                                 const session::GatePolicy& policy) {
  return fmt::format(
      "the base model does not find the pool's answers relevant to their questions: a swapped "
      "answer costs {} nats on average, evidence {}; {} is needed",
      nats(mean_micro(fitness.relevance)), amount(fitness.relevance_evidence),
      policy.alpha_inverse);
}

std::string useless_pool_text(const session::PoolFitness& fitness,
                              const session::GatePolicy& policy) {
  return fmt::format(
      "training on the pool's own calibration rows does not help: gain {} nats on average, "
      "evidence "
      "{}; {} is needed",
      nats(mean_micro(fitness.calibration)), amount(fitness.calibration_evidence),
      policy.alpha_inverse);
}

std::string unlike_sample_text(const session::PoolFitness& fitness) {
  return fmt::format(
      "the public sample does not look like the pool: mean loss {} against {} nats, at most 0.500 "
      "apart are allowed",
      nats(fitness.sample_loss_micro_nats), nats(fitness.pool_loss_micro_nats));
}

}  // namespace ffe::gate
