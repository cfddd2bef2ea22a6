// What the enclave agrees to send out, and in which form.
#include "aggregator/provider_training.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "compute/dataset.hpp"
#include "support/error_of.hpp"

namespace ffe::aggregator {
namespace {

using test::error_of;

session::Recipe provider_recipe() {
  session::ComputeProvider c;
  c.provider[0] = 1;
  c.signer[0] = 2;
  c.url = "https://provider.example";
  c.base_model[0] = 3;
  c.max_fee = evm::parse_ether("0.5");
  session::Recipe recipe;
  recipe.trainer = session::kComputeTrainer;
  recipe.compute = c;
  recipe.learning_rate_nano = 200'000;
  recipe = session::as_provider_trains(recipe);
  session::check(recipe);
  return recipe;
}

Config offering() {
  Config config;
  config.compute.ledger[0] = config.compute.fine_tuning[0] = 1;
  config.compute.max_fee = evm::parse_ether("1");
  return config;
}

TEST(ProviderTrainer, IsRefusedWhereTheOperatorDoesNotOfferIt) {
  const session::Recipe recipe = provider_recipe();
  check_trainer(recipe, offering(), 16661);
  check_trainer(session::Recipe{}, Config{}, 16661);
  auto refusal = [&](const session::Recipe& r, const Config& config, uint64_t chain = 16661) {
    return error_of([&] { check_trainer(r, config, chain); });
  };
  EXPECT_NE(refusal(recipe, Config{}).find("trains by itself only"), std::string::npos);
  Config closing = offering();
  closing.compute.close = true;
  EXPECT_NE(refusal(recipe, closing).find("trains by itself only"), std::string::npos);
  Config poor = offering();
  poor.compute.max_fee = evm::parse_ether("0.4");
  EXPECT_NE(refusal(recipe, poor).find("above the 0.4 0G"), std::string::npos);
  session::Recipe open = recipe;
  open.compute->url = "http://provider.example";
  EXPECT_NE(refusal(open, offering()).find("not https"), std::string::npos);
  EXPECT_NO_THROW(check_trainer(open, offering(), 31337));
}

TEST(ProviderTrainer, RowsKeepWhatTheProviderWouldDrop) {
  lm::Row chat{lm::Row::Kind::kChat,
               {{"system", "Be brief."},
                {"user", "Hi"},
                {"assistant", "Hello"},
                {"user", "Two \"words\"?"},
                {"assistant", "So be it"}},
               ""};
  lm::Row plain{lm::Row::Kind::kChat, {{"user", "abc"}, {"assistant", "ABC"}}, ""};
  lm::Row text{lm::Row::Kind::kText, {}, "Once upon a time\n…"};
  const std::string jsonl = provider_rows({&chat, &plain, &text});
  const auto rows = compute::training_rows(jsonl, compute::DatasetWay::kUpload, "rows");
  EXPECT_EQ(rows.lost_system_prompts + rows.lost_turns + rows.lost_texts, 0u);
  ASSERT_EQ(rows.rows.size(), 3u);
  EXPECT_EQ(rows.rows[0],
            (compute::TrainingRow{"Two \"words\"?", "system: Be brief.\nuser: Hi\nassistant: Hello",
                                  "So be it", ""}));
  EXPECT_EQ(rows.rows[1], (compute::TrainingRow{"abc", "", "ABC", ""}));
  EXPECT_EQ(rows.rows[2], (compute::TrainingRow{"", "", "Once upon a time\n…", ""}));
}

TEST(ProviderTrainer, RecordIsWrittenOnceForEachAttempt) {
  TempDir dir;
  Journal journal(dir.path() / "journal.sqlite", nullptr);
  SessionRecord first(journal, "tag", 1), second(journal, "tag", 2), other(journal, "gat", 1);
  first.put("task", "one");
  first.put("task", "one");
  EXPECT_THROW(first.put("task", "two"), Error);
  EXPECT_EQ(first.require("task"), "one");
  EXPECT_FALSE(second.has("task"));
  EXPECT_FALSE(other.has("task"));
  EXPECT_NE(error_of([&] { second.require("task"); }).find("the enclave's journal lacks"),
            std::string::npos);
}

TEST(ProviderTrainer, WalletIsTheEnclavesAndStays) {
  TempDir dir;
  Journal journal(dir.path() / "journal.sqlite", nullptr);
  const Enclave one(journal, {31337, Address{}}, SecretBytes(Bytes(32, 7)));
  const Enclave again(journal, {31337, Address{}}, SecretBytes(Bytes(32, 7)));
  const Enclave another(journal, {31337, Address{}}, SecretBytes(Bytes(32, 8)));
  EXPECT_EQ(compute_wallet_key(one).address(), compute_wallet_key(again).address());
  EXPECT_NE(compute_wallet_key(one).address(), compute_wallet_key(another).address());
  EXPECT_NE(compute_wallet_key(one).address(), one.signer());
}

}  // namespace
}  // namespace ffe::aggregator
