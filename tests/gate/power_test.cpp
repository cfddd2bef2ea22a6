#include "gate/power.hpp"

#include <gtest/gtest.h>

namespace ffe::gate {
namespace {

session::GatePolicy policy(uint16_t pairs) {
  session::GatePolicy out;
  out.eval_pairs = pairs;
  out.harm_tolerance_micro = 60'000;
  out.relevance_tolerance_micro = 60'000;
  return out;
}

TEST(power, same_arguments_give_the_same_shares) {
  const Power a = power(kHalfShuffled, policy(96), 4, 50);
  const Power b = power(kHalfShuffled, policy(96), 4, 50);
  EXPECT_EQ(a.rejected, b.rejected);
  EXPECT_EQ(a.excluded, b.excluded);
  EXPECT_LE(a.rejected + a.excluded, 1.0);
}

TEST(power, grows_with_pairs_and_with_harm) {
  const Power few = power(kHalfShuffled, policy(32), 4, 100);
  const Power many = power(kHalfShuffled, policy(192), 4, 100);
  EXPECT_LT(few.rejected, many.rejected);
  EXPECT_GT(many.rejected, 0.5);
  EXPECT_GT(power(kShuffled, policy(192), 4, 100).rejected, 0.99);
}

TEST(power, the_defaults_keep_half_shuffled_answers_out_more_than_they_slash) {
  const Power p = power(kHalfShuffled, session::GatePolicy{}, 4, 100);
  EXPECT_GT(p.rejected + p.excluded, 0.8);
  EXPECT_LT(p.rejected, 0.2);
}

TEST(power, harmless_contributions_lose_nothing) {
  Effect honest;
  honest.harm = -0.04;
  honest.lost = 0.01;
  const Power p = power(honest, session::GatePolicy{}, 4, 200);
  EXPECT_EQ(p.rejected, 0.0);
  EXPECT_LE(p.excluded, 0.01);
}

// Markov's bound: at the tolerance itself a rejection has probability at most alpha / N.
TEST(power, the_edge_of_harmless_is_never_rejected) {
  const Effect edge{.harm = 0.06, .lost = 0.06, .training_noise = 0};
  EXPECT_EQ(power(edge, policy(128), 4, 500).rejected, 0.0);
}

}  // namespace
}  // namespace ffe::gate
