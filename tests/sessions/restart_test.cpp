// What the operator may change between two starts of the service.
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

void replace_in_config(World& world, const std::string& from, const std::string& to) {
  const std::filesystem::path file = world.dir() / "aggregator.toml";
  const Bytes bytes = read_file(file, 1 << 20);
  std::string text(as_text(bytes));
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  write_file_atomic(file, as_bytes(text.replace(at, from.size(), to)), 0600);
}

TEST(Restart, WithAnotherModelItWaitsForTheRightOne) {
  World world(learned_model());
  world.open(2);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  world.net().kill(devnet::Part::kEnclave);
  if (world.over()) GTEST_SKIP() << "the session was over before the service could be stopped";
  replace_in_config(world, "name = \"learned\"", "name = \"another\"");
  world.net().start(devnet::Part::kEnclave);
  EXPECT_NE(world.error_of_service().find("another base model"), std::string::npos);
  EXPECT_FALSE(world.over());

  world.net().kill(devnet::Part::kEnclave);
  replace_in_config(world, "name = \"another\"", "name = \"learned\"");
  world.net().start(devnet::Part::kEnclave);
  const Outcome outcome = world.finish();
  EXPECT_EQ(outcome.state, session::SessionState::kSettled);
  EXPECT_EQ(outcome.tokens, 2u);
}

}  // namespace
}  // namespace ffe::sessions
