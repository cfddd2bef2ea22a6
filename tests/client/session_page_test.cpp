// A session's page: the figures of its public record are on it, and nothing from outside is markup.
#include "client/session_page.hpp"

#include <gtest/gtest.h>

#include "crypto/address.hpp"
#include "gate/gate.hpp"
#include "gate/simulated.hpp"
#include "session/randomness.hpp"
#include "storage/merkle.hpp"

namespace ffe::client {
namespace {

using namespace gate::sim;

bool contains(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

// alice and bob honest, mallory harmful.
class SessionPageTest : public ::testing::Test {
 protected:
  SessionPageTest() {
    gate::GateInputs in = inputs(21);
    in.contributions = {contribution(1, rows("alice", 64)), contribution(2, rows("bob", 64)),
                        contribution(3, rows("mallory", 96, {0.02, 0.35, 0}))};
    SimLearner learner(1);
    gate = gate::run_gate(in, learner).report;
    const std::string text = session::to_text(gate);
    page.record.gate = Bytes(text.begin(), text.end());
    page.network.name = "testnet";
    page.network.chain_id = 16602;
    page.status.opened.id = evm::U256(17);
    page.status.opened.terms.stake = evm::parse_ether("0.5");
    page.status.result.emplace();
    page.status.result->base_loss_micro_nats = 5'200'000;
    page.status.result->joint_loss_micro_nats = 2'960'000;
    page.status.result->tx_hash.bytes[0] = 0xab;
    page.checks = check_record(page.record);
    for (const session::GateFinding& f : gate.contributors) {
      if (f.verdict == session::Verdict::kAccept) {
        page.tokens.push_back({evm::U256(17000 + page.tokens.size()), f.contributor, false, {}});
      }
      if (f.verdict == session::Verdict::kReject) {
        session::SlashRecord slash;
        slash.contributor = f.contributor;
        slash.amount = page.status.opened.terms.stake;
        page.status.slashes.push_back(slash);
      }
    }
  }

  session::GateReport gate;
  SessionPage page;
};

TEST_F(SessionPageTest, TellsTheStoryWithItsNumbers) {
  ASSERT_EQ(page.status.slashes.size(), 1u);
  const std::string html = to_html(page);
  for (const char* piece :
       {"Session 17 on testnet",
        "Three parties brought their rows. One lost its stake. Two own one", "5.20", "2.96",
        "0.5 0G lost", "token 17000", "from 20: left out",
        "https://chainscan-galileo.0g.ai/tx/0xab", "ffe report verify 17 --network testnet"}) {
    EXPECT_TRUE(contains(html, piece)) << piece;
  }
  for (const session::GateFinding& f : gate.contributors) {
    const std::string address = crypto::checksum_address(f.contributor);
    EXPECT_TRUE(contains(html, address.substr(0, 6) + "…" + address.substr(38)));
  }
  EXPECT_FALSE(contains(html, "nan"));
  EXPECT_FALSE(contains(html, "<script"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
}

TEST_F(SessionPageTest, EveryMeasuredPairIsADot) {
  const std::string html = to_html(page);
  size_t dots = 0, expected = 0;
  for (size_t at = 0; (at = html.find("<circle", at)) != std::string::npos; ++at) ++dots;
  for (const session::GateFinding& f : gate.contributors) {
    if (!f.runs.empty()) expected += f.runs[0].harm.size() + f.runs[0].relevance_lost.size();
  }
  EXPECT_GT(expected, 0u);
  EXPECT_EQ(dots, expected);
}

TEST_F(SessionPageTest, AFailedClaimIsSeen) {
  EXPECT_FALSE(contains(to_html(page), "FAILS"));
  page.checks.front().passed = false;
  EXPECT_TRUE(contains(to_html(page), "FAILS"));
}

TEST_F(SessionPageTest, SaysSimulatedOnlyWhereItIs) {
  EXPECT_FALSE(contains(to_html(page), "simulated"));
  page.simulated = true;
  EXPECT_TRUE(contains(to_html(page), "<b>simulated</b>"));
}

TEST_F(SessionPageTest, TextFromOutsideIsNoMarkup) {
  const std::string attack = "\"><script>alert(1)</script>&";
  page.network.name = attack;
  page.checks.front().detail = attack;
  page.status.currency.symbol = attack;
  page.samples = {{attack, attack, attack, attack}};
  gate.contributors[0].text = attack;
  const std::string text = session::to_text(gate);
  page.record.gate = Bytes(text.begin(), text.end());
  const std::string html = to_html(page);
  EXPECT_FALSE(contains(html, "<script"));
  EXPECT_TRUE(contains(html, "&lt;script&gt;"));
}

}  // namespace
}  // namespace ffe::client
