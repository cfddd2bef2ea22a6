#include "gate/intake.hpp"

#include <algorithm>
#include <set>

#include "session/randomness.hpp"

namespace ffe::gate {

using session::Reason;

namespace {

std::string number(uint64_t n) {
  return std::to_string(n);
}

// Decisions that need no look at the rows. True if one was made.
bool decide_by_delivery(Intake& intake, const session::GatePolicy& policy) {
  const Contribution& c = *intake.contribution;
  switch (c.delivery) {
    case Delivery::kDelivered:
      break;
    case Delivery::kNotAvailable:
      intake.decide(Reason::kNotAvailable, c.detail);
      return true;
    case Delivery::kInvalid:
      intake.decide(Reason::kInvalid, c.detail);
      return true;
    case Delivery::kBadOwnerKey:
      intake.decide(Reason::kBadOwnerKey, c.detail);
      return true;
  }
  if (c.invalid_count * 10'000 > c.row_count * policy.invalid_share_bps) {
    intake.decide(Reason::kInvalid, number(c.invalid_count) + " of " + number(c.row_count) +
                                        " rows break the schema; allowed are " +
                                        number(policy.invalid_share_bps) + " in 10000");
    return true;
  }
  return false;
}

}  // namespace

void Intake::decide(Reason reason, std::string text) {
  finding.reason = reason;
  finding.verdict = session::verdict_of(reason);
  finding.text = std::move(text);
  decided = true;
}

RowRefs Intake::gate_rows(size_t limit) const {
  RowRefs out;
  for (size_t i = 0; i < std::min(limit, order.size()); ++i) {
    out.push_back(&contribution->rows[order[i]]);
  }
  return out;
}

RowRefs Intake::candidate_rows() const {
  RowRefs out;
  for (size_t row : candidates) out.push_back(&contribution->rows[row]);
  return out;
}

Intake take_in(const Contribution& contribution, const GateInputs& inputs, Learner& learner) {
  Intake intake;
  intake.contribution = &contribution;
  session::GateFinding& f = intake.finding;
  f.contributor = contribution.contributor;
  f.blob_root = contribution.blob_root;
  f.counts.rows = contribution.row_count;
  f.counts.invalid = contribution.invalid_count;
  if (decide_by_delivery(intake, inputs.policy)) return intake;

  for (const lm::Row& row : contribution.rows) {
    intake.prints.push_back(fingerprint(row_text(row)));
  }
  const std::vector<size_t> distinct = distinct_rows(intake.prints);
  f.counts.distinct = distinct.size();
  f.counts.duplicates = contribution.rows.size() - distinct.size();
  for (size_t i : distinct) {
    const lm::Row& row = contribution.rows[i];
    if (learner.fits(row, row)) intake.order.push_back(i);
  }
  f.counts.unusable = distinct.size() - intake.order.size();
  crypto::ChaChaRng rng =
      session::rows_rng(inputs.seed, inputs.seal_hash, contribution.contributor);
  rng.shuffle(intake.order);
  if (intake.order.size() < inputs.policy.min_rows || intake.order.empty()) {
    intake.decide(Reason::kTooFewRows, number(intake.order.size()) + " usable, distinct rows of " +
                                           number(f.counts.rows) + "; at least " +
                                           number(inputs.policy.min_rows) + " are needed");
  }
  return intake;
}

size_t decontaminate(Pool& pool, std::vector<Intake>& intakes) {
  std::vector<ShingleSet> templates{template_of(pool.fingerprints())};
  for (const Intake& intake : intakes) {
    if (!intake.decided) templates.push_back(template_of(intake.prints));
  }
  const ShingleSet ignored = shared_template(templates);
  NearCopyIndex index;
  std::vector<size_t> pool_rows;
  for (size_t i = 0; i < pool.rows().size(); ++i) {
    if (pool.dropped(i)) continue;
    index.add(content(pool.fingerprints()[i], ignored));
    pool_rows.push_back(i);
  }
  std::set<size_t> to_drop;
  for (Intake& intake : intakes) {
    if (intake.decided) continue;
    std::set<size_t> hit;
    for (size_t row : intake.order) {
      for (size_t i : index.find_all(content(intake.prints[row], ignored))) hit.insert(i);
    }
    intake.finding.pool_overlap = hit.size();
    if (hit.size() * 10 > pool_rows.size()) {
      intake.decide(Reason::kPoolOverlap, "its rows near-copy " + number(hit.size()) +
                                              " of the pool's " + number(pool_rows.size()) +
                                              " rows; allowed is a tenth");
    } else {
      to_drop.insert(hit.begin(), hit.end());
    }
  }
  for (size_t i : to_drop) pool.drop(pool_rows[i]);
  return to_drop.size();
}

void screen(Intake& intake, const PoolHabits& habits, uint32_t max_rows) {
  std::vector<RowText> all, texts;
  for (const lm::Row& row : intake.contribution->rows) all.push_back(row_text(row));
  // A long answer makes near-copies of rows whose questions are short and unlike: they are dropped
  // as duplicates, and tell all the same what somebody tried.
  intake.finding.repeated_answers = screen_texts(all, habits).largest_cluster;
  for (size_t row : intake.order) texts.push_back(std::move(all[row]));
  const TextScreen result = screen_texts(texts, habits);
  session::RowCounts& counts = intake.finding.counts;
  for (size_t i = 0; i < intake.order.size(); ++i) {
    switch (result.flags[i]) {
      case RowFlag::kEmpty:
        ++counts.empty;
        break;
      case RowFlag::kEcho:
        ++counts.echo;
        break;
      case RowFlag::kRepeated:
        ++counts.repeated;
        break;
      case RowFlag::kKeep:
        ++counts.kept;
        if (intake.candidates.size() < max_rows) intake.candidates.push_back(intake.order[i]);
        break;
    }
  }
}

bool backdoor_suspected(const Intake& intake) {
  const uint64_t cluster = intake.finding.repeated_answers;
  return cluster >= kBackdoorRows && cluster * 100 > intake.contribution->rows.size();
}

}  // namespace ffe::gate
