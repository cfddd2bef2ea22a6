// Sessions whose recipe has trainer "0g-compute": the accepted rows go to a provider that runs on
// the devnet, an adapter comes back, and goes the same way as one that the enclave trained.
#include <gtest/gtest.h>
#include <set>
#include <sqlite3.h>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "compute/chain.hpp"
#include "evm/keystore.hpp"
#include "support/error_of.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

namespace fs = std::filesystem;
using devnet::Part;
using Words = std::vector<std::string>;

// Keys that the enclave's journal holds of tasks at the provider, and of certificates.
std::set<std::string> journal_keys(const World& world) {
  sqlite3* db = nullptr;
  std::set<std::string> out;
  sqlite3_open_v2((world.dir() / "enclave/journal.sqlite").c_str(), &db, SQLITE_OPEN_READONLY,
                  nullptr);
  sqlite3_stmt* query = nullptr;
  sqlite3_prepare_v2(db, "SELECT key FROM entries", -1, &query, nullptr);
  while (query != nullptr && sqlite3_step(query) == SQLITE_ROW) {
    out.insert(reinterpret_cast<const char*>(sqlite3_column_text(query, 0)));
  }
  sqlite3_finalize(query);
  sqlite3_close(db);
  return out;
}

bool wait_for(const std::function<bool()>& there, int seconds = 60) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!there()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void submit_both(World& world) {
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
}

// The sub-account of the enclave at the provider.
compute::AccountView account_of(World& world) {
  evm::RpcClient rpc(world.net().network().rpc_url, compute::rpc_options());
  return compute::FineTuningServing(rpc, world.net().network().compute_fine_tuning)
      .account(world.compute_wallet().value(), world.net().provider())
      .value();
}

// One payment of the operator, one deposit, one transfer, one task, one acknowledgement.
void expect_paid_once(World& world) {
  EXPECT_EQ(world.provider_tasks(), 1u);
  EXPECT_EQ(world.net().rpc().transaction_count(world.compute_wallet().value()), 3u);
  const compute::AccountView account = account_of(world);
  ASSERT_EQ(account.deliverables.size(), 1u);
  EXPECT_TRUE(account.deliverables[0].acknowledged);
  evm::RpcClient rpc(world.net().network().rpc_url, compute::rpc_options());
  const auto ledger = compute::LedgerManager(rpc, world.net().network().compute_ledger)
                          .ledger(world.compute_wallet().value());
  EXPECT_LE(ledger.value().total, evm::parse_ether("3"));
}

// What the service tells contributors, once it contains `part`.
bool told(World& world, const std::string& part, int seconds = 30) {
  return wait_for(
      [&] {
        return world.opener().enclave_status(world.session_id()).dump().find(part) !=
               std::string::npos;
      },
      seconds);
}

// Nothing came in time: everybody gets everything back.
void expect_refund(World& world, const std::string& reason) {
  world.net().rpc().raw("evm_increaseTime", {20'000});
  world.net().rpc().raw("evm_mine");
  client::Client& anyone = world.party(0);
  anyone.coordinator().fail(anyone.sender(), world.session_id());
  EXPECT_EQ(world.outcome().state, session::SessionState::kFailed);
  for (size_t i = 0; i < world.parties(); ++i) {
    client::Client& who = world.party(i);
    EXPECT_EQ(who.coordinator().claimable(world.session_id(), who.address()).stake,
              evm::parse_ether("0.5"));
    who.claim(world.session_id());
  }
  EXPECT_TRUE(told(world, "over: failed"));
  EXPECT_TRUE(told(world, reason)) << world.opener().enclave_status(world.session_id()).dump();
}

TEST(ProviderSession, FromConsentToTokensWithAKillAtEachStep) {
  World world(learned_model(), "", Words{});
  world.open(2);
  // Nobody's rows leave without his word.
  const std::string refusal =
      test::error_of([&] { world.submit(0, "alice.jsonl", {.accept_provider_sees_data = false}); });
  EXPECT_NE(refusal.find("can read them; nothing was encrypted or sent"), std::string::npos)
      << refusal;
  EXPECT_TRUE(world.party(0)
                  .coordinator()
                  .contribution(world.session_id(), world.party(0).address())
                  .blob_root.is_zero());
  const auto plan =
      world.party(0).plan_submission(world.session_id(), world.model() / "alice.jsonl");
  EXPECT_NE(plan.who_sees_rows.find(plan.recipe.compute->url), std::string::npos);
  EXPECT_EQ(plan.recipe.compute->provider, world.net().provider());

  submit_both(world);
  for (const char* key : {"0g 1 queue", "0g 1 teeSigner", "0g 1 datasetHash", "0g 1 nonce",
                          "0g 1 task", "0g 1 modelRoot", "root artifact", "result"}) {
    ASSERT_TRUE(wait_for([&] { return journal_keys(world).contains(key); }))
        << key << ": " << world.opener().enclave_status(world.session_id()).dump();
    world.net().kill(Part::kEnclave);
    world.net().start(Part::kEnclave);
  }
  const Outcome outcome = world.finish();
  EXPECT_EQ(outcome.state, session::SessionState::kSettled);
  EXPECT_EQ(outcome.verdicts, (Words{"accept", "accept"}));
  EXPECT_EQ(outcome.tokens, 2u);
  expect_paid_once(world);

  TempDir folder;
  const auto mine = world.party(0).download(world.session_id(), folder.path() / "a");
  const auto theirs = world.party(1).download(world.session_id(), folder.path() / "b");
  EXPECT_EQ(mine.adapter_sha256, theirs.adapter_sha256);
  EXPECT_TRUE(session::leaves_enclave(mine.report.recipe));
  EXPECT_TRUE(mine.report.loss_curve.empty());
  const std::string card = read_text_file(folder.path() / "a/README.md");
  EXPECT_NE(card.find("trained by the 0G Compute provider"), std::string::npos);
  // The encrypted model goes with the session.
  EXPECT_TRUE(wait_for([&] { return fs::is_empty(world.dir() / "enclave/compute"); }, 10));
}

// The operator stops offering it: 0G locks a sub-account for a day, and a ledger keeps its least so
// long.
TEST(ProviderSession, WhatIsLeftComesBackToTheOperator) {
  World world(learned_model(), "close = 0\n", Words{});
  world.open(2);
  submit_both(world);
  ASSERT_EQ(world.finish().state, session::SessionState::kSettled);
  const Address wallet = world.compute_wallet().value();
  evm::RpcClient rpc(world.net().network().rpc_url, compute::rpc_options());
  const compute::LedgerManager ledgers(rpc, world.net().network().compute_ledger);
  const auto held = [&] {
    const auto ledger = ledgers.ledger(wallet);
    return ledger ? ledger->total : evm::U256();
  };
  ASSERT_GT(held(), evm::parse_ether("2"));
  const evm::U256 spent = evm::parse_ether("3") - held();

  world.net().kill(Part::kEnclave, SIGTERM);
  world.configure("close = 0", "close = 1");
  const Address payee = world.net().operator_key().address();
  const evm::U256 before = rpc.balance(payee);
  const auto log = [&] { return read_text_file(world.dir() / "aggregator.log", 64 << 20); };
  const auto start_and_read = [&](const std::string& words) {
    world.net().start(Part::kEnclave);
    const bool said = wait_for([&] { return log().find(words) != std::string::npos; }, 20);
    world.net().kill(Part::kEnclave, SIGTERM);
    return said;
  };
  ASSERT_TRUE(start_and_read("asked 0G Compute for the money; what is locked follows")) << log();
  EXPECT_FALSE(held().is_zero());
  world.net().rpc().raw("evm_increaseTime", {2 * 86400});
  world.net().rpc().raw("evm_mine");
  ASSERT_TRUE(start_and_read("nothing is left at 0G Compute")) << log();
  EXPECT_TRUE(held().is_zero());
  // All but the provider's fee and gas is the operator's again.
  EXPECT_GT(rpc.balance(payee) - before + spent + evm::parse_ether("0.05"), evm::parse_ether("3"));
}

TEST(ProviderSession, AProviderThatFailsIsTriedAgainAndToldAndRefunded) {
  World world(learned_model(), "", Words{"--fault", "training-fails"});
  world.open(2, World::quick_gate(), 10'000);
  submit_both(world);
  ASSERT_TRUE(told(world, "\"error\":\"the provider's task failed\"", 60))
      << world.opener().enclave_status(world.session_id()).dump();
  EXPECT_EQ(world.provider_tasks(), 3u);
  EXPECT_TRUE(account_of(world).deliverables.empty());
  EXPECT_EQ(account_of(world).balance, evm::parse_ether("1"));  // nothing was charged
  expect_refund(world, "the provider's task failed");
}

TEST(ProviderSession, AModelOfAnotherSignerIsNotPaidFor) {
  World world(learned_model(), "", Words{"--fault", "wrong-signer"});
  world.open(2, World::quick_gate(), 10'000);
  submit_both(world);
  ASSERT_TRUE(told(world, "not by the provider's enclave", 60))
      << world.opener().enclave_status(world.session_id()).dump();
  const compute::AccountView account = account_of(world);
  ASSERT_EQ(account.deliverables.size(), 1u);
  EXPECT_FALSE(account.deliverables[0].acknowledged);
  expect_refund(world, "not by the provider's enclave");
}

TEST(ProviderSession, AProviderThatIsLateIsWaitedForUntilTheDeadline) {
  World world(learned_model(), "", Words{});
  world.open(2, World::quick_gate(), 10'000);
  world.submit(0, "alice.jsonl");
  world.net().kill(Part::kCompute);  // and nobody answers
  world.submit(1, "bob.jsonl");
  ASSERT_TRUE(told(world, "\"error\"", 60))
      << world.opener().enclave_status(world.session_id()).dump();
  EXPECT_EQ(world.outcome().state, session::SessionState::kSealed);
  expect_refund(world, "http://127.0.0.1");
}

// The terms name the provider's place; a chain that names another one later is not believed.
TEST(ProviderSession, RowsGoNowhereElseThanAgreed) {
  World world(learned_model(), "", Words{});
  world.open(2, World::quick_gate(), 10'000);
  world.submit(0, "alice.jsonl");
  evm::RpcClient rpc(world.net().network().rpc_url, compute::rpc_options());
  compute::FineTuningServing serving(rpc, world.net().network().compute_fine_tuning);
  const compute::ServiceView service = serving.service(world.net().provider()).value();
  const fs::path keys = world.dir() / "provider";
  evm::Sender owner(
      rpc, evm::load_key_file(keys / "provider.json", evm::read_password_file(keys / "password")));
  serving.offer(owner, {"http://127.0.0.1:9", service.price_per_token, {}, service.tee_signer}, {});
  world.submit(1, "bob.jsonl");
  EXPECT_TRUE(told(world, "agreed on was " + service.url, 60))
      << world.opener().enclave_status(world.session_id()).dump();
  EXPECT_EQ(world.provider_tasks(), 0u);
}

}  // namespace
}  // namespace ffe::sessions
