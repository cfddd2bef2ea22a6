// What the operator may change between two starts of the service.
#include <gtest/gtest.h>

#include "world.hpp"

namespace ffe::sessions {
namespace {

TEST(Restart, WithAnotherModelItWaitsForTheRightOne) {
  World world(learned_model());
  world.open(2);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  world.net().kill(devnet::Part::kEnclave);
  if (world.over()) GTEST_SKIP() << "the session was over before the service could be stopped";
  world.configure("name = \"learned\"", "name = \"another\"");
  world.net().start(devnet::Part::kEnclave);
  EXPECT_NE(world.error_of_service().find("another base model"), std::string::npos);
  EXPECT_FALSE(world.over());

  world.net().kill(devnet::Part::kEnclave);
  world.configure("name = \"another\"", "name = \"learned\"");
  world.net().start(devnet::Part::kEnclave);
  const Outcome outcome = world.finish();
  EXPECT_EQ(outcome.state, session::SessionState::kSettled);
  EXPECT_EQ(outcome.tokens, 2u);
}

}  // namespace
}  // namespace ffe::sessions
