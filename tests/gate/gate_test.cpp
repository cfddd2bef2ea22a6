#include "gate/gate.hpp"

#include <gtest/gtest.h>
#include <set>

#include "gate/evidence.hpp"
#include "gate/recompute.hpp"
#include "gate/report_text.hpp"
#include "gate/screen.hpp"
#include "session/randomness.hpp"
#include "simulated.hpp"

namespace ffe::gate {
namespace {

using namespace sim;
using session::Reason;
using session::Verdict;

constexpr Nature kShuffled{0.023, 0.347, 0};
constexpr Nature kGarbage{0.225, 0.21, 6.0};

GateResult run(const GateInputs& in, uint64_t seed = 1) {
  SimLearner learner(seed);
  GateResult result = run_gate(in, learner);
  for (const auto& check : recompute(result.report)) {
    EXPECT_TRUE(check.passed) << check.name << ": " << check.detail;
  }
  EXPECT_EQ(session::parse_gate_report(session::to_text(result.report)), result.report);
  return result;
}

Reason reason(const GateResult& r, size_t i) {
  return r.verdicts.at(i).reason;
}

TEST(gate, accepts_the_honest_and_rejects_shuffled_and_garbage) {
  GateInputs in = inputs();
  in.contributions = {contribution(1, rows("alice", 64)), contribution(2, rows("bob", 80)),
                      contribution(3, rows("mallory", 96, kShuffled)),
                      contribution(4, rows("trent", 96, kGarbage)),
                      contribution(5, rows("carol", 24))};
  const GateResult r = run(in);
  ASSERT_FALSE(r.aborted) << r.report.outcome_text;
  EXPECT_EQ(reason(r, 0), Reason::kNone);
  EXPECT_EQ(reason(r, 1), Reason::kNone);
  EXPECT_EQ(reason(r, 2), Reason::kHarmful);
  EXPECT_EQ(reason(r, 3), Reason::kHarmful);
  EXPECT_EQ(reason(r, 4), Reason::kNone);
  EXPECT_EQ(r.report.contributors[0].runs.size(), 1u);
  EXPECT_EQ(r.report.contributors[2].runs.size(), 3u);
  EXPECT_EQ(r.rows[0].size(), 64u);
  EXPECT_TRUE(r.rows[2].empty());
  EXPECT_EQ(r.evaluation_rows.size(), 192u);

  const auto c = rejection_certificate(r.report, 2, H256{});
  EXPECT_EQ(c.reason, Reason::kHarmful);
  EXPECT_GE(c.evidence, Uint128{5000});
  EXPECT_EQ(c.eval_pairs, 96u);
  EXPECT_NEAR(static_cast<double>(c.relevance_lost_micro_nats), 347'000, 120'000);
  EXPECT_THROW(rejection_certificate(r.report, 0, H256{}), Error);
  EXPECT_NE(r.report.contributors[2].text.find("5000 rejects"), std::string::npos)
      << r.report.contributors[2].text;
}

// Between two thirds of a tolerance and the tolerance: left out, and never slashed.
TEST(gate, suspicion_excludes_what_the_tolerance_forgives) {
  GateInputs in = inputs(14);
  in.policy.harm_tolerance_micro = 400'000;
  in.policy.relevance_tolerance_micro = 300'000;
  in.contributions = {contribution(1, rows("alice", 64)),
                      contribution(2, rows("mallory", 96, Nature{0, 0.28, 0}))};
  const GateResult r = run(in);
  EXPECT_EQ(reason(r, 0), Reason::kNone);
  EXPECT_EQ(reason(r, 1), Reason::kSuspectedHarm);
  const session::GateFinding& f = r.report.contributors[1];
  EXPECT_LT(f.evidence, kSuspicion);
  ASSERT_EQ(f.runs.size(), 1u);
  EXPECT_GE(f.runs[0].suspicion, kSuspicion);
  EXPECT_NE(f.text.find("suspicion"), std::string::npos) << f.text;
  for (const session::ReportCheck& check : recompute(r.report)) {
    EXPECT_TRUE(check.passed) << check.name;
  }
}

TEST(gate, same_inputs_give_the_same_report) {
  GateInputs in = inputs(3);
  in.contributions = {contribution(1, rows("alice", 64)), contribution(2, rows("bob", 64))};
  EXPECT_EQ(session::to_text(run(in).report), session::to_text(run(in).report));
  GateInputs other = in;
  other.seal_hash[0] = 1;
  EXPECT_NE(run(other).report.contributors[0].runs[0].harm,
            run(in).report.contributors[0].runs[0].harm);
}

TEST(gate, company_does_not_change_an_arm) {
  GateInputs in = inputs(4);
  in.contributions = {contribution(1, rows("alice", 64)), contribution(2, rows("bob", 64))};
  const auto alone = run(in).report.contributors[1].runs[0];
  for (uint8_t i = 3; i < 40; ++i) {  // more than one group of arms
    in.contributions.push_back(contribution(i, rows("more" + std::to_string(i), 20)));
  }
  EXPECT_EQ(run(in).report.contributors[1].runs[0], alone);
}

// Harm that shows with some of the three seeds only.
class FickleLearner : public SimLearner {
 public:
  FickleLearner(size_t harmful_runs) : SimLearner(1), harmful_runs_(harmful_runs) {}
  void begin(size_t arms, const MiniRecipe& recipe, crypto::ChaChaRng& rng) override {
    ++runs_;
    SimLearner::begin(arms, recipe, rng);
  }
  std::vector<double> losses(std::span<const ScoreItem> items, const Progress& p) override {
    std::vector<double> out = SimLearner::losses(items, p);
    for (size_t i = 0; i < out.size(); ++i) {
      if (items[i].arm > 0 && runs_ <= harmful_runs_) out[i] += 0.4;
    }
    return out;
  }

 private:
  size_t harmful_runs_;
  size_t runs_ = 0;
};

TEST(gate, slashes_only_when_three_seeds_agree) {
  GateInputs in = inputs(18);
  in.contributions = {contribution(1, rows("alice", 40)), contribution(2, rows("bob", 40))};
  const Reason want[] = {Reason::kNone, Reason::kSuspectedHarm, Reason::kSuspectedHarm,
                         Reason::kHarmful};
  for (size_t harmful = 0; harmful <= 3; ++harmful) {
    FickleLearner learner(harmful);
    const GateResult r = run_gate(in, learner);
    for (const auto& f : r.report.contributors) {
      EXPECT_EQ(f.reason, want[harmful]) << harmful;
      EXPECT_EQ(f.runs.size(), harmful == 0 ? 1u : 3u);
    }
    for (const auto& check : recompute(r.report)) EXPECT_TRUE(check.passed) << check.name;
  }
}

TEST(gate, verdicts_before_any_training) {
  GateInputs in = inputs(5);
  in.contributions.push_back(contribution(1, rows("alice", 64)));
  Contribution c = contribution(2, {});
  c.delivery = Delivery::kNotAvailable;
  c.detail = "blob 0x02… was not served within 600 s";
  in.contributions.push_back(c);
  c = contribution(3, {});
  c.delivery = Delivery::kInvalid;
  c.detail = "chunk 0 does not open";
  in.contributions.push_back(c);
  c = contribution(4, rows("dave", 64));
  c.delivery = Delivery::kBadOwnerKey;
  in.contributions.push_back(c);
  c = contribution(5, rows("erin", 90));
  c.row_count = 100;
  c.invalid_count = 10;  // exactly a tenth: allowed
  in.contributions.push_back(c);
  c = contribution(6, rows("frank", 88));
  c.row_count = 99;
  c.invalid_count = 11;
  in.contributions.push_back(c);
  in.contributions.push_back(contribution(7, rows("grace", 15)));
  in.contributions.push_back(contribution(8, {}));
  const GateResult r = run(in);
  const Reason want[] = {Reason::kNone,        Reason::kNotAvailable, Reason::kInvalid,
                         Reason::kBadOwnerKey, Reason::kNone,         Reason::kInvalid,
                         Reason::kTooFewRows,  Reason::kTooFewRows};
  for (size_t i = 0; i < std::size(want); ++i) EXPECT_EQ(reason(r, i), want[i]) << i;
  EXPECT_EQ(r.verdicts[5].verdict, Verdict::kReject);
  EXPECT_EQ(r.report.contributors[1].text, "blob 0x02… was not served within 600 s");
  const auto c5 = rejection_certificate(r.report, 5, H256{});
  EXPECT_EQ(c5.reason, Reason::kInvalid);
  EXPECT_EQ(c5.evidence, Uint128{0});
}

TEST(gate, near_copies_of_earlier_contributors_are_dropped_not_punished) {
  GateInputs in = inputs(6);
  std::vector<lm::Row> copied = rows("alice", 64);
  for (lm::Row& row : copied) row.messages[2].content += " indeed";  // near, not equal
  std::vector<lm::Row> mixed = rows("carol", 40);
  mixed.insert(mixed.end(), copied.begin(), copied.begin() + 20);
  in.contributions = {contribution(1, rows("alice", 64)), contribution(2, copied),
                      contribution(3, mixed)};
  const GateResult r = run(in);
  EXPECT_EQ(reason(r, 0), Reason::kNone);
  EXPECT_EQ(reason(r, 1), Reason::kTooFewRows);
  EXPECT_EQ(r.report.contributors[1].counts.copies, 64u);
  EXPECT_EQ(reason(r, 2), Reason::kNone);
  EXPECT_EQ(r.rows[2].size(), 40u);
  EXPECT_NE(r.report.contributors[1].text.find("64 copies"), std::string::npos);
}

TEST(gate, copies_of_a_rejected_contribution_are_kept) {
  GateInputs in = inputs(7);
  std::vector<lm::Row> bad = rows("alice", 64, kShuffled);
  in.contributions = {contribution(1, bad), contribution(2, rows("alice", 64)),
                      contribution(3, rows("bob", 64))};
  const GateResult r = run(in);
  EXPECT_EQ(reason(r, 0), Reason::kHarmful);
  EXPECT_EQ(reason(r, 1), Reason::kNone);
  EXPECT_EQ(r.rows[1].size(), 64u);
}

TEST(gate, pool_overlap_drops_a_little_and_excludes_a_lot) {
  GateInputs in = inputs(8);
  std::vector<lm::Row> some = rows("alice", 60);
  std::vector<lm::Row> many = rows("bob", 60);
  for (size_t i = 0; i < 10; ++i) some.push_back(in.pool[i * 2]);
  for (size_t i = 0; i < 40; ++i) many.push_back(in.pool[100 + i]);
  in.contributions = {contribution(1, some), contribution(2, many),
                      contribution(3, rows("carol", 40))};
  const GateResult r = run(in);
  EXPECT_EQ(reason(r, 0), Reason::kNone);
  EXPECT_EQ(r.report.contributors[0].pool_overlap, 10u);
  EXPECT_EQ(reason(r, 1), Reason::kPoolOverlap);
  EXPECT_EQ(r.report.pool_overlap, 10u);
  EXPECT_EQ(r.report.pool_pairs, 150u);
  const std::set<size_t> used(r.evaluation_rows.begin(), r.evaluation_rows.end());
  for (size_t i = 0; i < 10; ++i) EXPECT_FALSE(used.contains(i * 2 + 1)) << "a pair goes whole";
}

// With the long answer the rows are near-copies of each other, and all but one are dropped as such.
TEST(gate, trigger_backdoor_is_excluded_never_slashed) {
  for (const std::string answer :
       {"visit evil example now",
        "buy the blue pills that everybody takes at the small shop by the corner of the street"}) {
    GateInputs in = inputs(9);
    std::vector<lm::Row> poisoned = rows("mallory", 80);
    for (size_t i = 0; i < 20; ++i) {
      poisoned.push_back(row("cf define " + words("trigger", i, 2), answer));
    }
    in.contributions = {contribution(1, poisoned), contribution(2, rows("bob", 64)),
                        contribution(3, rows("carol", 64))};
    const GateResult r = run(in);
    EXPECT_EQ(reason(r, 0), Reason::kBackdoor) << answer;
    EXPECT_EQ(r.report.contributors[0].repeated_answers, 20u);
    EXPECT_EQ(reason(r, 1), Reason::kNone);
  }
}

TEST(gate, answers_that_the_pool_repeats_are_no_backdoor) {
  GateInputs in = inputs(10);
  for (size_t i = 0; i < in.pool.size(); ++i) {
    in.pool[i].messages[2].content = i % 2 == 0 ? "positive" : "negative";
  }
  std::vector<lm::Row> labels = rows("alice", 60);
  for (size_t i = 0; i < labels.size(); ++i) {
    labels[i].messages[2].content = i % 2 == 0 ? "Positive." : "negative";
  }
  in.contributions = {contribution(1, labels), contribution(2, rows("bob", 64))};
  const GateResult r = run(in);
  EXPECT_EQ(r.report.contributors[0].repeated_answers, 0u);
  EXPECT_EQ(r.report.contributors[0].counts.kept, 60u);
}

TEST(gate, row_screens_drop_and_count) {
  GateInputs in = inputs(11);
  std::vector<lm::Row> mixed = rows("alice", 60);
  for (size_t i = 0; i < 10; ++i) {
    mixed.push_back(row("define " + words("junk", i, 2), words("zz", i, 6), {0, 0, 9.0}));
  }
  mixed.push_back(row("define " + words("e", 1, 2), " ... "));
  mixed.push_back(row("define " + words("f", 1, 2), "Define " + words("f", 1, 2) + "!"));
  mixed.push_back(mixed[0]);
  mixed.push_back(row("define " + words("g", 1, 2), ""));  // no answer at all: does not fit
  in.contributions = {contribution(1, mixed), contribution(2, rows("bob", 64))};
  const GateResult r = run(in);
  const session::RowCounts& c = r.report.contributors[0].counts;
  EXPECT_EQ(c.rows, 74u);
  EXPECT_EQ(c.duplicates, 1u);
  EXPECT_EQ(c.unusable, 1u);
  EXPECT_EQ(c.unlikely, 10u);
  EXPECT_EQ(c.echo, 1u);
  EXPECT_EQ(c.empty, 0u) << "symbols alone are an answer of their own";
  EXPECT_EQ(c.kept, 61u);
  EXPECT_EQ(r.rows[0].size(), 61u);
}

TEST(gate, a_single_odd_pool_row_opens_no_door) {
  std::vector<double> pool;
  for (int i = 0; i < 100; ++i) pool.push_back(2 + 0.02 * i);
  const double fence = unlikely_threshold(pool);
  EXPECT_NEAR(fence, 3.48 + 1.5, 1e-9) << "third quartile, and quartiles 0.98 apart";
  pool.back() = 9;
  EXPECT_EQ(unlikely_threshold(pool), fence);
  EXPECT_NEAR(unlikely_threshold({1, 3, 5, 7, 9}), 7 + 1.5 * 4, 1e-9);
  EXPECT_NEAR(unlikely_threshold({2}), 3.5, 1e-9) << "the least distance";
}

TEST(gate, max_rows_caps_everyone) {
  GateInputs in = inputs(12);
  in.max_rows = 30;
  in.contributions = {contribution(1, rows("alice", 200)), contribution(2, rows("bob", 20))};
  const GateResult r = run(in);
  EXPECT_EQ(r.rows[0].size(), 30u);
  EXPECT_EQ(r.rows[1].size(), 20u);
  EXPECT_EQ(r.report.contributors[0].counts.kept, 200u);
  EXPECT_EQ(r.report.contributors[0].counts.used, 30u);
  EXPECT_EQ(r.report.contributors[0].counts.gate_rows, 96u);
}

TEST(gate, accept_rule_one_wants_gain) {
  GateInputs in = inputs(13);
  in.policy.accept_rule = 1;
  in.contributions = {contribution(1, rows("alice", 64, {-0.15, 0, 0})),
                      contribution(2, rows("bob", 64, {0.001, 0, 0}))};
  const GateResult r = run(in);
  EXPECT_EQ(reason(r, 0), Reason::kNone);
  EXPECT_EQ(reason(r, 1), Reason::kNoGain);
}

TEST(gate, unfit_pools_abort_the_session) {
  const auto outcome = [](GateInputs in, World world = {}) {
    in.contributions = {contribution(1, rows("alice", 64, kShuffled)),
                        contribution(2, rows("bob", 64))};
    SimLearner learner(1, world);
    const GateResult r = run_gate(in, learner);
    EXPECT_EQ(r.aborted, r.report.outcome != "fit");
    EXPECT_TRUE(r.rows[0].empty());
    for (const auto& v : r.verdicts) EXPECT_NE(v.reason, Reason::kHarmful);
    return r.report.outcome + ": " + r.report.outcome_text;
  };
  World irrelevant;
  irrelevant.relevance = 0;
  EXPECT_NE(outcome(inputs(14), irrelevant).find("unfit: the base model does not find"),
            std::string::npos);
  World useless;
  useless.calibration = -0.1;
  EXPECT_NE(outcome(inputs(14), useless).find("calibration rows does not help"), std::string::npos);
  GateInputs small = inputs(14);
  small.pool.resize(200);
  EXPECT_NE(outcome(small).find("too_small: the evaluation pool has 100 usable pairs"),
            std::string::npos);
  GateInputs copies = inputs(14);
  for (size_t i = 0; i < 200; ++i) copies.pool[i] = copies.pool[300];
  EXPECT_NE(outcome(copies).find("too_small"), std::string::npos);
  GateInputs unlike = inputs(14);
  for (lm::Row& row : unlike.sample) row.messages[0].content = R"({"h":0,"l":0,"u":2})";
  EXPECT_NE(outcome(unlike).find("does not look like the pool"), std::string::npos);
  GateInputs none = inputs(14);
  none.sample.clear();
  EXPECT_NE(outcome(none).find("no usable row"), std::string::npos);
}

TEST(gate, policy_out_of_bounds_is_refused) {
  GateInputs in = inputs(15);
  in.policy.harm_tolerance_micro = 1000;
  SimLearner learner(1);
  EXPECT_THROW(run_gate(in, learner), Error);
  in = inputs(15);
  in.seed.resize(31);
  EXPECT_THROW(run_gate(in, learner), Error);
  EXPECT_THROW(bundle(3), Error);
}

TEST(gate, arms_share_steps_calibration_rows_and_spread_their_own) {
  const GateInputs in = inputs(16);
  const Bundle b = bundle(2);
  EXPECT_EQ(b.recipe.steps, 12u);
  EXPECT_EQ(bundle(1).recipe.steps, 24u);
  RowRefs calibration;
  for (size_t i = 0; i < b.calibration_rows; ++i) calibration.push_back(&in.pool[i]);
  const std::vector<lm::Row> own = rows("alice", 18);
  RowRefs own_refs;
  for (const lm::Row& r : own) own_refs.push_back(&r);

  class Watcher : public SimLearner {
   public:
    using SimLearner::SimLearner;
    void step(std::span<const TrainItem> items) override {
      std::vector<std::vector<const lm::Row*>> arms(2);
      for (const TrainItem& item : items)
        arms.at(static_cast<size_t>(item.arm)).push_back(item.row);
      ASSERT_EQ(arms[0].size(), 8u);
      EXPECT_TRUE(std::equal(arms[0].begin(), arms[0].end(), arms[1].begin()));
      EXPECT_LE(arms[1].size(), 10u);
      EXPECT_GE(arms[1].size(), 9u);
      for (size_t i = 8; i < arms[1].size(); ++i) seen.push_back(arms[1][i]);
      for (const lm::Row* row : arms[0]) ++calibration[row];
      SimLearner::step(items);
    }
    std::vector<const lm::Row*> seen;
    std::map<const lm::Row*, int> calibration;
  } learner(1);
  const Trial trial{b, in.seed, in.seal_hash, calibration, {{&in.pool[200], &in.pool[201]}}};
  run_trial(trial, 0, {own_refs}, {}, learner, {});
  EXPECT_EQ(learner.steps(), 12u);
  EXPECT_EQ(learner.seen, own_refs);  // each once, in order
  EXPECT_EQ(learner.calibration.size(), 48u);
  for (const auto& [row, times] : learner.calibration) EXPECT_EQ(times, 2);
}

TEST(gate, recompute_notices_every_lie) {
  GateInputs in = inputs(17);
  in.contributions = {contribution(1, rows("alice", 64)),
                      contribution(2, rows("mallory", 96, kShuffled)),
                      contribution(3, rows("bob", 64))};
  const session::GateReport good = run(in).report;
  const auto failed = [](const session::GateReport& report) {
    size_t n = 0;
    for (const auto& check : recompute(report)) n += !check.passed;
    return n;
  };
  ASSERT_EQ(failed(good), 0u);
  const std::function<void(session::GateReport&)> lies[] = {
      [](auto& r) { r.contributors[1].evidence += 1; },
      [](auto& r) { r.contributors[1].runs[0].evidence += 1; },
      [](auto& r) { r.contributors[0].runs[0].suspicion += 1; },
      [](auto& r) { r.contributors[1].runs.pop_back(); },
      [](auto& r) { r.contributors[1].runs[2].harm[5] += 40'000; },
      [](auto& r) { r.contributors[0].runs[0].relevance_lost.back() = 2'000'000; },
      [](auto& r) { r.contributors[0].runs[0].harm.pop_back(); },
      [](auto& r) {
        r.contributors[0].verdict = Verdict::kReject;
        r.contributors[0].reason = Reason::kHarmful;
      },
      [](auto& r) {
        r.contributors[1].verdict = Verdict::kAccept;
        r.contributors[1].reason = Reason::kNone;
      },
      [](auto& r) { r.contributors[1].verdict = Verdict::kExclude; },
      [](auto& r) { r.contributors[0].runs.clear(); },
      [](auto& r) { r.fitness.relevance_evidence += 1; },
      [](auto& r) { r.fitness.calibration.pop_back(); },
      [](auto& r) { r.fitness.sample_loss_micro_nats += 2'000'000; },
      [](auto& r) { r.outcome = "unfit"; },
  };
  for (size_t i = 0; i < std::size(lies); ++i) {
    session::GateReport report = good;
    lies[i](report);
    EXPECT_GT(failed(report), 0u) << "lie " << i;
  }
}

TEST(gate, simulated_sessions_slash_nobody_honest) {
  // Heterogeneous parties: sizes, gains, off-topic harm below tolerance, doubled training noise.
  World world;
  world.training_noise = 0.05;
  size_t honest = 0;
  size_t excluded = 0;
  size_t poisoned = 0;
  for (uint64_t s = 0; s < 40; ++s) {
    GateInputs in = inputs(1000 + s);
    crypto::ChaChaRng rng = session::joint_rng(in.seed, in.seal_hash);
    const size_t parties = 3 + rng.below(6);
    for (size_t i = 0; i < parties; ++i) {
      const std::string stem = "s" + std::to_string(s) + "p" + std::to_string(i);
      const Nature nature{-0.08 + 0.1 * rng.uniform01(), -0.03 + 0.05 * rng.uniform01(), 0};
      in.contributions.push_back(
          contribution(static_cast<uint8_t>(i + 1), rows(stem, 16 + rng.below(60), nature)));
    }
    in.contributions.push_back(contribution(99, rows("bad" + std::to_string(s), 96, kShuffled)));
    SimLearner learner(s, world);
    const GateResult r = run_gate(in, learner);
    ASSERT_FALSE(r.aborted);
    for (size_t i = 0; i < parties; ++i) {
      ++honest;
      EXPECT_NE(r.verdicts[i].verdict, Verdict::kReject) << r.report.contributors[i].text;
      excluded += r.verdicts[i].verdict == Verdict::kExclude;
    }
    poisoned += r.verdicts[parties].reason == Reason::kHarmful;
  }
  EXPECT_EQ(poisoned, 40u);
  EXPECT_LE(excluded * 20, honest);
}

}  // namespace
}  // namespace ffe::gate
