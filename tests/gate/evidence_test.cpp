#include "gate/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>

#include "base/file.hpp"
#include "base/json.hpp"
#include "crypto/random.hpp"

namespace ffe::gate {
namespace {

std::vector<int64_t> values_of(const Json& list) {
  return list.get<std::vector<int64_t>>();
}

void expect_bits(const EValue& e, const Json& want) {
  EXPECT_EQ(e.mantissa(), std::strtod(want[0].get<std::string>().c_str(), nullptr));
  EXPECT_EQ(e.exponent(), want[1].get<int64_t>());
}

// Relative error of n products: below n · 2^-51, with n at most 4096.
void expect_near_exact(const EValue& e, const Json& exact) {
  const long double want = std::strtold(exact["e12"].get<std::string>().c_str(), nullptr) / 1e12L;
  if (want < 1e-6L || want > 1e300L) return;
  const long double have =
      std::ldexp(static_cast<long double>(e.mantissa()), static_cast<int>(e.exponent()));
  EXPECT_NEAR(static_cast<double>(have / want), 1.0, 2e-6) << "coarse: e12 is cut";
  if (want > 1) {
    EXPECT_NEAR(static_cast<double>(have / want), 1.0, 4e-12);
  }
}

TEST(evidence, same_bits_as_python_and_near_exact_rationals) {
  const Json document =
      parse_json(read_text_file(FFE_SOURCE_DIR "/tests/vectors/gate/evidence.json"), "evidence");
  ASSERT_GT(document["cases"].size(), 20u);
  for (const Json& c : document["cases"]) {
    SCOPED_TRACE(c["name"].get<std::string>());
    const auto harm = values_of(c["harm"]);
    const auto lost = values_of(c["relevanceLost"]);
    const int64_t d1 = c["harmTolerance"].get<int64_t>();
    const int64_t d2 = c["relevanceTolerance"].get<int64_t>();
    const EValue e1 = one_sided(harm, d1);
    const EValue e2 = one_sided(lost, d2);
    const EValue e = combined(harm, d1, lost, d2);
    expect_bits(e1, c["double"]["harm"]);
    expect_bits(e2, c["double"]["relevanceLost"]);
    expect_bits(e, c["double"]["combined"]);
    expect_bits(combined(harm, suspicion_tolerance(d1), lost, suspicion_tolerance(d2)),
                c["double"]["suspicion"]);
    expect_near_exact(e1, c["exact"]["harm"]);
    expect_near_exact(e2, c["exact"]["relevanceLost"]);
    expect_near_exact(e, c["exact"]["combined"]);
    const std::string floor = c["exact"]["combined"]["floor"].get<std::string>();
    if (floor.size() <= 10) {
      EXPECT_EQ(session::to_decimal(e.floor()), floor);
    } else if (floor.size() > 39) {
      EXPECT_EQ(e.floor(), ~Uint128{0});
    }
  }
}

TEST(evidence, floor_at_its_edges) {
  EXPECT_EQ(EValue(0.0).floor(), 0);
  EXPECT_EQ(EValue(0.999999).floor(), 0);
  EXPECT_EQ(EValue(1.0).floor(), 1);
  EXPECT_EQ(EValue(3999.9999).floor(), 3999);
  EXPECT_EQ(EValue(4000.0).floor(), 4000);
  EXPECT_EQ(EValue(0x1p127).floor(), Uint128{1} << 127);
  EXPECT_EQ(EValue(0x1p128).floor(), ~Uint128{0});
  EXPECT_EQ(EValue(std::numeric_limits<double>::max()).times(1e300).floor(), ~Uint128{0});
  EXPECT_EQ(EValue(std::numeric_limits<double>::denorm_min()).times(1e-300).floor(), 0);
}

TEST(evidence, bets_never_ruin_and_never_pay_nothing) {
  // The largest bet against the largest loss leaves two hundredths; a value at δ changes nothing.
  for (int64_t delta : {int64_t{0}, int64_t{50'000}, int64_t{60'000}, int64_t{499'999}}) {
    const std::vector<int64_t> lowest{kClipLow};
    EXPECT_GT(one_sided(lowest, delta).natural_log(), std::log(0.02));
    const std::vector<int64_t> at{delta};
    EXPECT_EQ(one_sided(at, delta), EValue(1.0));
  }
}

TEST(evidence, values_out_of_range_or_order_are_refused) {
  const auto refused = [](std::vector<int64_t> values, int64_t delta) {
    EXPECT_THROW(one_sided(values, delta), Error);
  };
  refused({kClipLow - 1}, 60'000);
  refused({kClipHigh + 1}, 60'000);
  refused({2, 1}, 60'000);
  refused({0}, -1);
  refused({0}, 500'000);
}

TEST(evidence, micro_nats_round_down_and_clip) {
  EXPECT_EQ(clip_micro(0.0000019), 1);
  EXPECT_EQ(clip_micro(-0.0000011), -2);
  EXPECT_EQ(clip_micro(7.0), kClipHigh);
  EXPECT_EQ(clip_micro(-std::numeric_limits<double>::infinity()), kClipLow);
  EXPECT_THROW(clip_micro(std::nan("")), Error);
  EXPECT_THROW(to_micro(std::nan("")), Error);
  const std::vector<int64_t> values{-1, -1, 0};
  EXPECT_EQ(mean_micro(values), -1);
  EXPECT_EQ(mean_micro({}), 0);
}

// A finite pool whose mean is exactly δ: the boundary of H0.
std::vector<int64_t> boundary_pool(size_t n, int64_t delta, crypto::ChaChaRng& rng) {
  std::vector<int64_t> pool;
  int64_t sum = 0;
  for (size_t i = 0; i + 1 < n; ++i) {
    // Now and then far out, as heavy tails do.
    const bool tail = rng.below(10) == 0;
    const int64_t span = tail ? 900'000 : 200'000;
    const int64_t v = delta + static_cast<int64_t>(rng.below(static_cast<uint64_t>(span))) -
                      (tail ? 450'000 : 100'000);
    pool.push_back(std::clamp(v, kClipLow, kClipHigh));
    sum += pool.back();
  }
  // The rest that makes the mean exact is spread over the pool.
  int64_t left = delta * static_cast<int64_t>(n) - sum;
  pool.push_back(delta);
  left -= delta;
  for (size_t i = 0; left != 0; i = (i + 1) % n) {
    const int64_t step = std::clamp<int64_t>(left, -1000, 1000);
    const int64_t moved = std::clamp(pool[i] + step, kClipLow, kClipHigh);
    left -= moved - pool[i];
    pool[i] = moved;
  }
  return pool;
}

TEST(evidence, expected_evidence_under_h0_is_at_most_one) {
  crypto::ChaChaRng rng(Bytes(32, 42));
  constexpr int64_t kDelta = 60'000;
  constexpr int kDraws = 30'000;
  constexpr size_t kPairs = 48;
  std::vector<int64_t> harm = boundary_pool(120, kDelta, rng);
  std::vector<int64_t> lost = boundary_pool(120, kDelta, rng);
  double sum = 0;
  double squares = 0;
  int above = 0;
  for (int i = 0; i < kDraws; ++i) {
    rng.shuffle(harm);
    rng.shuffle(lost);
    std::vector<int64_t> a(harm.begin(), harm.begin() + kPairs);
    std::vector<int64_t> b(lost.begin(), lost.begin() + kPairs);
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    const double e = std::exp(combined(a, kDelta, b, kDelta).natural_log());
    sum += e;
    squares += e * e;
    above += e >= 20;
  }
  const double mean = sum / kDraws;
  const double error = std::sqrt((squares / kDraws - mean * mean) / kDraws);
  EXPECT_LE(mean, 1.0 + 4 * error) << "standard error " << error;
  EXPECT_LE(above, kDraws / 20);
}

TEST(evidence, suspicion_is_against_two_thirds_of_a_tolerance_but_not_below_the_least) {
  EXPECT_EQ(suspicion_tolerance(160'000), 106'666);
  EXPECT_EQ(suspicion_tolerance(110'000), 73'333);
  EXPECT_EQ(suspicion_tolerance(60'000), 50'000);
  EXPECT_EQ(suspicion_tolerance(50'000), 50'000);
  EXPECT_EQ(suspicion_tolerance(1'000), 1'000);
}

TEST(evidence, suspicion_is_never_smaller) {
  session::GatePolicy policy;
  for (int64_t mean = -100'000; mean <= 400'000; mean += 20'000) {
    std::vector<int64_t> harm, lost;
    for (int64_t i = 0; i < 192; ++i) {
      harm.push_back(std::clamp(mean + (i - 96) * 3'000, kClipLow, kClipHigh));
      lost.push_back(std::clamp(mean / 2 + (i - 96) * 2'000, kClipLow, kClipHigh));
    }
    const Harm found = harm_of(harm, lost, policy);
    EXPECT_GE(found.suspicion, found.evidence) << mean;
  }
}

TEST(evidence, threshold_grows_with_the_session) {
  EXPECT_EQ(rejection_threshold(4, 1000), 4000);
  EXPECT_EQ(rejection_threshold(255, 4'294'967'295u), Uint128{255} * 4'294'967'295u);
}

}  // namespace
}  // namespace ffe::gate
