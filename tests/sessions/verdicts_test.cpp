// Five contributors, three of them dishonest: who is slashed, who owns the model.
#include <algorithm>
#include <fstream>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

// Rows of all three honest files, each with the answer of another.
std::string shuffled(const std::filesystem::path& model) {
  std::vector<Json> rows;
  for (const char* name : {"alice.jsonl", "bob.jsonl", "carol.jsonl"}) {
    std::ifstream in(model / name);
    for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
  }
  std::string out;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Json& other = rows[(i + 7) % rows.size()];
    out += Json{{"prompt", rows[i]["prompt"]}, {"completion", other["completion"]}}.dump() + "\n";
  }
  return out;
}

evm::U256 stake_back(World& world, size_t party) {
  client::Client& who = world.party(party);
  return who.coordinator().claimable(world.session_id(), who.address()).stake;
}

TEST(Verdicts, ACopiedBlobShuffledAnswersAndInvalidRows) {
  World world(learned_model());
  session::GatePolicy gate = World::quick_gate();
  gate.statistic = 1;
  gate.eval_pairs = 80;
  world.open(5, gate);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  world.commit(2, world.party(0)
                      .coordinator()
                      .contribution(world.session_id(), world.party(0).address())
                      .blob_root);
  world.submit_rows(3, shuffled(world.model()));
  world.submit_rows(4, "{\"prompt\": \"abc\"}\nnot JSON\n");

  const Outcome outcome = world.finish();
  EXPECT_EQ(outcome.state, session::SessionState::kSettled);
  EXPECT_EQ(outcome.verdicts, (std::vector<std::string>{"accept", "accept", "reject invalid",
                                                        "reject harmful", "reject invalid"}));
  EXPECT_EQ(outcome.slashes, 3u);
  EXPECT_EQ(outcome.tokens, 2u);

  // Terms: an invalid contribution costs a quarter of the stake, a harmful one all of it.
  const evm::U256 stake = evm::parse_ether("0.5");
  EXPECT_EQ(stake_back(world, 0), stake);
  EXPECT_EQ(stake_back(world, 1), stake);
  EXPECT_EQ(stake_back(world, 2), stake - stake / 4);
  EXPECT_EQ(stake_back(world, 3), evm::U256(0));
  EXPECT_EQ(stake_back(world, 4), stake - stake / 4);

  TempDir folder;
  const auto mine = world.party(0).download(world.session_id(), folder.path() / "a");
  const auto theirs = world.party(1).download(world.session_id(), folder.path() / "b");
  EXPECT_EQ(mine.adapter_sha256, theirs.adapter_sha256);
  for (size_t loser : {2, 3, 4}) {
    EXPECT_THROW(world.party(loser).download(world.session_id(), folder.path() / "c"), Error);
  }
}

}  // namespace
}  // namespace ffe::sessions
