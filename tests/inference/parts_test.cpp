// The service's parts by themselves: events, replays, quotas, the shelf of adapters.
#include <gtest/gtest.h>

#include "inference/quota.hpp"
#include "inference/replay_guard.hpp"
#include "inference/shelf.hpp"
#include "inference/sse.hpp"
#include "sealed_world.hpp"

namespace ffe::inference {
namespace {

using std::chrono::seconds;

std::vector<std::string> events(std::string_view stream, size_t piece) {
  std::vector<std::string> out;
  SseReader reader;
  for (size_t i = 0; i < stream.size(); i += piece) {
    reader.push(stream.substr(i, piece), [&](std::string_view data) { out.emplace_back(data); });
  }
  return out;
}

TEST(Sse, ComesInPiecesOfAnySize) {
  const std::string stream = ": a comment\n\ndata: one\r\n\r\nid: 7\ndata:two\ndata: lines\n\n" +
                             sse_event("three") + "data: never ended";
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, stream.size()}) {
    EXPECT_EQ(events(stream, piece), (std::vector<std::string>{"one", "two\nlines", "three"}));
  }
}

TEST(Sse, AnEndlessEventIsRefused) {
  const std::string endless = "data: " + std::string(2 << 20, 'x');
  EXPECT_THROW(events(endless, 4096), Error);
}

TEST(ReplayGuard, EachRequestOnceWithinItsTime) {
  ReplayGuard guard(60);
  constexpr uint64_t kNow = 1'000'000'000;
  guard.admit(filled(1), kNow, kNow);
  EXPECT_EQ(refusal_of([&] { guard.admit(filled(1), kNow, kNow + 1000); }), "409 replayed");
  guard.admit(filled(2), kNow - 59'000, kNow);
  guard.admit(filled(3), kNow + 59'000, kNow);
  EXPECT_EQ(refusal_of([&] { guard.admit(filled(4), kNow - 61'000, kNow); }), "400 bad_time");
  EXPECT_EQ(refusal_of([&] { guard.admit(filled(5), kNow + 61'000, kNow); }), "400 bad_time");
  // As long as its time is accepted, it is remembered: that of 3 until 119 s from now.
  EXPECT_EQ(refusal_of([&] { guard.admit(filled(3), kNow + 59'000, kNow + 118'000); }),
            "409 replayed");
}

TEST(Quota, TokensOfAMinute) {
  Quota quota(10, 600);  // ten a second
  const Address owner{}, other = Address::from(Bytes(20, 1));
  const auto start = Quota::Clock::now();
  {
    auto lease = quota.enter(owner, start);
    lease->use(650, start);  // begun, so finished
  }
  try {
    quota.enter(owner, start);
    FAIL() << "the minute's share was used";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 429);
    EXPECT_EQ(refusal.retry_after(), 6);
  }
  EXPECT_NO_THROW(quota.enter(other, start));
  EXPECT_NO_THROW(quota.enter(owner, start + seconds(6)));
}

TEST(Quota, AnswersAtOnce) {
  Quota quota(2, 600);
  auto first = quota.enter({}), second = quota.enter({});
  EXPECT_EQ(refusal_of([&] { quota.enter({}); }), "429 rate_limit_exceeded");
  first.reset();
  EXPECT_NO_THROW(quota.enter({}));
}

lm::LoraAdapter small_adapter() {
  lm::LoraAdapter out;
  out.modules["x"] = {std::vector<float>(1000), std::vector<float>(1000)};
  return out;
}

LoadedModel loaded(uint64_t token, uint8_t artifact) {
  return {evm::U256(token), {}, {}, filled(artifact), false, wiped_at_end(small_adapter())};
}

TEST(Shelf, TokensOfOneArtifactShareIt) {
  Shelf shelf(20'000, 60);  // one adapter is 16 000 bytes
  shelf.put(loaded(1, 7));
  shelf.put(loaded(2, 7));
  EXPECT_EQ(shelf.size(), 2u);
  EXPECT_EQ(shelf.bytes(), 16'000u);
  EXPECT_EQ(shelf.use(evm::U256(1))->adapter, shelf.use(evm::U256(2))->adapter);
  EXPECT_FALSE(shelf.use(evm::U256(3)));
}

TEST(Shelf, WhatRestsMakesRoom) {
  Shelf shelf(40'000, 900);
  const auto start = Shelf::Clock::now();
  shelf.put(loaded(1, 1), start);
  shelf.put(loaded(2, 2), start + seconds(1));
  EXPECT_EQ(refusal_of([&] { shelf.put(loaded(3, 3), start + seconds(30)); }), "503 busy");
  shelf.put(loaded(3, 3), start + seconds(70));
  EXPECT_FALSE(shelf.has(evm::U256(1)));  // rested longest
  EXPECT_TRUE(shelf.has(evm::U256(2)));
  Shelf tiny(15'000, 900);
  EXPECT_EQ(refusal_of([&] { tiny.put(loaded(1, 1)); }), "413 too_large");
}

TEST(Shelf, IdleAdaptersGoUnlessTheyAnswer) {
  Shelf shelf(100'000, 60);
  const auto start = Shelf::Clock::now();
  shelf.put(loaded(1, 1), start);
  shelf.put(loaded(2, 2), start);
  EXPECT_EQ(shelf.wipe_idle(start + seconds(59)), 0u);
  {
    const auto answering = shelf.use(evm::U256(2), start);
    EXPECT_EQ(shelf.wipe_idle(start + seconds(61)), 1u);
    EXPECT_TRUE(shelf.has(evm::U256(2)));
  }
  EXPECT_EQ(shelf.wipe_idle(start + seconds(61)), 1u);
  EXPECT_EQ(shelf.size(), 0u);
}

TEST(TokenBook, AsksTheChainOnceInItsTime) {
  int asked = 0;
  TokenBook book(
      [&](const evm::U256& token) {
        ++asked;
        if (token == evm::U256(9)) throw Error(ErrorCode::kChain, "reverted");
        if (token == evm::U256(8)) throw Error(ErrorCode::kNetwork, "silent");
        return TokenFacts{};
      },
      5);
  const auto start = TokenBook::Clock::now();
  book.at(evm::U256(1), start);
  book.at(evm::U256(1), start + seconds(4));
  EXPECT_EQ(asked, 1);
  book.at(evm::U256(1), start + seconds(5));
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(refusal_of([&] { book.at(evm::U256(9)); }), "404 model_not_found");
  EXPECT_EQ(refusal_of([&] { book.at(evm::U256(8)); }), "503 busy");
}

TEST(TokenBook, WhoNamesNumbersIsStoppedAndKnownTokensGoOn) {
  int asked = 0;
  TokenBook book(
      [&](const evm::U256& token) {
        ++asked;
        if (token > evm::U256(1)) throw Error(ErrorCode::kChain, "reverted");
        return TokenFacts{};
      },
      5);
  const auto start = TokenBook::Clock::now();
  book.at(evm::U256(1), start);
  for (int i = 1; i < TokenBook::kLookUpsPerMinute; ++i) {
    EXPECT_EQ(refusal_of([&] { book.at(evm::U256(1000 + i), start); }), "404 model_not_found");
  }
  EXPECT_EQ(refusal_of([&] { book.at(evm::U256(5), start); }), "429 rate_limit_exceeded");
  EXPECT_EQ(asked, TokenBook::kLookUpsPerMinute);
  book.at(evm::U256(1), start + seconds(6));  // asked about again, without limit
  EXPECT_EQ(refusal_of([&] { book.at(evm::U256(5), start + seconds(6)); }), "404 model_not_found");
}

}  // namespace
}  // namespace ffe::inference
