// The opener's file: written with comments, read strictly, judged against the pool.
#include <gtest/gtest.h>

#include "base/json.hpp"
#include "cli/run_cli.hpp"
#include "cli/terms_file.hpp"
#include "support/error_of.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using test::CliRun;
using test::CliTest;
using test::shown;

const std::string kAlice = "0x00000000000000000000000000000000000000a1";
const std::string kBob = "0x00000000000000000000000000000000000000b2";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string filled() {
  return replaced(terms_template(), "participants = [  ",
                  "participants = [\"" + kAlice + "\", \"" + kBob + "\",\n#");
}

// Rows that share no words, so that none is a near-copy of another.
std::string pool(size_t rows) {
  std::string out;
  for (size_t i = 0; i < rows; ++i) {
    const std::string n = std::to_string(i);
    out += R"({"prompt":"q)" + n + "a q" + n + R"(b","completion":"x)" + n + "a x" + n + "b x" + n +
           "c\"}\n";
  }
  return out;
}

class Terms : public CliTest {
 protected:
  std::string refusal(const std::string& text) {
    const fs::path file = write("TERMS.toml", text);
    try {
      read_terms_file(file);
    } catch (const Error& e) {
      return e.what();
    }
    return "accepted";
  }
};

TEST_F(Terms, TheTemplateIsReadWithItsDefaults) {
  const client::OpenRequest r = read_terms_file(write("TERMS.toml", filled()));
  EXPECT_EQ(r.participants.size(), 2u);
  EXPECT_EQ(r.pool, folder_.path() / "evaluation-pool.jsonl");
  EXPECT_EQ(r.submit_seconds, 86400u);
  EXPECT_EQ(r.stake, evm::parse_ether("0.5"));
  EXPECT_EQ(r.gate.eval_pairs, 192u);
  EXPECT_EQ(r.gate.harm_tolerance_micro, 160'000u);
  EXPECT_EQ(r.gate.invalid_share_bps, 1000u);
  EXPECT_EQ(r.slash_bps_invalid, 2500u);
  EXPECT_EQ(r.recipe.numeric_path, "auto");
  EXPECT_EQ(r.recipe.learning_rate_nano, 1'000'000u);
}

TEST_F(Terms, MistakesAreNamed) {
  const auto with = [](const std::string& from, const std::string& to) {
    return replaced(filled(), from, to);
  };
  const auto says = [&](const std::string& text, const std::string& what) {
    const std::string refused = refusal(text);
    EXPECT_NE(refused.find(what), std::string::npos) << refused;
  };
  says(terms_template(), "session.participants must list 2 to 255 addresses");
  says(with(kBob, "0x12"), "session.participants \"0x12\" is not an address");
  says(with("quorum = 2", "quorum = 3"), "session.quorum and min_accepted must be");
  says(with("stake = \"0.5\"", "stake = \"lots\""), "money.stake is not an amount such as");
  says(with("deliver_within = \"24h\"", "deliver_within = \"15d\""), "session.deliver_within must");
  says(with("eval_pairs = 192", "eval_pairs = 8"), "evalPairs");
  says(with("harm_tolerance = 0.16", "harm_tolerance = 0.01"), "harmTolerance");
  says(with("epochs = 2", "epoch = 2"), "recipe.epoch is not a known setting");
  says(with("rank = 8", "rank = 0"), "rank");
}

TEST_F(Terms, AStakeInTokensHasTheTokensDecimals) {
  client::OpenRequest r =
      read_terms_file(write("TERMS.toml", replaced(filled(), "# stake_token = \"0x…\"",
                                                   "stake_token = \"" + kBob + "\"")));
  EXPECT_EQ(r.stake_token.bytes[19], 0xb2);
  evm::Currency usdc{r.stake_token, "USDC", 6};
  scale_stake(r, usdc);
  EXPECT_EQ(r.stake, evm::U256(500'000));
  r.stake = evm::parse_ether("0.0000001");
  EXPECT_EQ(test::error_of([&] { scale_stake(r, usdc); }).substr(0, 68),
            "usage: money.stake is no amount of USDC, which has 6 decimals: more ");
}

TEST_F(Terms, NewWritesOnceAndCheckJudgesThePool) {
  const std::string file = (folder_.path() / "T.toml").string();
  CliRun run = ffe({"session", "new", file});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, file + "\n");
  EXPECT_EQ(read_text_file(file), terms_template());
  EXPECT_EQ(ffe({"session", "new", file}).status, 2);

  write("TERMS.toml", filled());
  write("public-sample.jsonl", pool(4));
  write("evaluation-pool.jsonl", pool(300));
  const std::string terms = (folder_.path() / "TERMS.toml").string();
  run = ffe({"session", "check", terms});
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_NE(run.err.find("has 150 usable pairs; these terms need 240"), std::string::npos)
      << shown(run);

  write("evaluation-pool.jsonl", pool(600));
  run = ffe({"session", "check", terms, "--json"});
  EXPECT_EQ(run.status, 0) << shown(run);
  const Json advice = Json::parse(run.out);
  EXPECT_EQ(advice["poolPairs"], 300);
  EXPECT_EQ(advice["neededPairs"], 240);
  EXPECT_GT(advice["halfShuffledKeptOut"].get<double>(), 0.6);
  EXPECT_GE(advice["halfShuffledKeptOut"].get<double>(),
            advice["halfShuffledRejected"].get<double>());
  EXPECT_NE(run.err.find("half shuffled answers are rejected in"), std::string::npos) << shown(run);
}

}  // namespace
}  // namespace ffe::cli
