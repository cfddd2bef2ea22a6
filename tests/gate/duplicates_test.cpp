#include "gate/duplicates.hpp"

#include <gtest/gtest.h>

#include "crypto/random.hpp"
#include "gate/pool.hpp"
#include "gate/screen.hpp"
#include "simulated.hpp"

namespace ffe::gate {
namespace {

Fingerprint print(const std::string& question, const std::string& answer) {
  return fingerprint({question, answer});
}

TEST(duplicates, normal_form) {
  EXPECT_EQ(normalise("  The  CAT,\tsat (on) it.\n"), "the cat sat on it");
  EXPECT_EQ(normalise("Übung №5"), "Übung №5");
  EXPECT_EQ(normalise(" ... "), "");
}

TEST(duplicates, row_texts) {
  lm::Row chat;
  chat.messages = {
      {"system", "s"}, {"user", "u1"}, {"assistant", "a1"}, {"user", "u2"}, {"assistant", "a2"}};
  EXPECT_EQ(row_text(chat).question, "u1\na1\nu2");
  EXPECT_EQ(row_text(chat).answer, "a2");
  lm::Row text;
  text.kind = lm::Row::Kind::kText;
  text.text = "one two, three four five";
  EXPECT_EQ(row_text(text).question, "one two");
  EXPECT_EQ(row_text(text).answer, "three four five");
}

TEST(duplicates, jaccard_of_sets) {
  EXPECT_DOUBLE_EQ(jaccard({1, 2, 3}, {2, 3, 4}), 0.5);
  EXPECT_DOUBLE_EQ(jaccard({1}, {1}), 1.0);
  EXPECT_DOUBLE_EQ(jaccard({}, {}), 0.0);
  EXPECT_DOUBLE_EQ(jaccard({1}, {}), 0.0);
}

// MinHash only proposes: what find() says must be what all pairs say.
TEST(duplicates, index_agrees_with_all_pairs) {
  crypto::ChaChaRng rng(Bytes(32, 3));
  std::vector<Shingles> rows;
  for (int i = 0; i < 400; ++i) {
    Shingles row;
    if (i % 2 == 1) row = rows.back();
    const size_t keep = i % 2 == 1 ? 30 - rng.below(14) : 0;
    row.resize(keep);
    while (row.size() < 30) row.push_back(rng.next_u64());
    std::sort(row.begin(), row.end());
    rows.push_back(row);
  }
  NearCopyIndex index;
  size_t near = 0;
  size_t missed = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::vector<size_t> want;
    for (size_t j = 0; j < i; ++j) {
      if (jaccard(rows[i], rows[j]) >= kNearCopy) want.push_back(j);
    }
    const std::vector<size_t> have = index.find_all(rows[i]);
    for (size_t j : have) EXPECT_GE(jaccard(rows[i], rows[j]), kNearCopy);
    near += want.size();
    missed += want.size() - have.size();
    index.add(rows[i]);
  }
  EXPECT_GT(near, 60u);
  EXPECT_EQ(missed, 0u);
}

TEST(duplicates, small_changes_are_near_copies_and_other_rows_are_not) {
  const auto a = print("Define: dog",
                       "a member of the genus Canis that has been domesticated by man since "
                       "prehistoric times");
  const auto b = print("define DOG",
                       "A member of the genus Canis, that has been domesticated by man since "
                       "ancient times!");
  const auto c =
      print("Define: wolf", "any of various predatory carnivorous canine mammals of North America");
  EXPECT_GE(jaccard(a.shingles, b.shingles), kNearCopy);
  EXPECT_LT(jaccard(a.shingles, c.shingles), 0.1);
}

TEST(duplicates, a_shared_prompt_is_no_copy) {
  std::vector<Fingerprint> mine;
  std::vector<Fingerprint> yours;
  const std::string prompt =
      "You are a careful assistant. Read the following short review of a product and say in one "
      "word whether the writer liked it or not. Review: ";
  for (size_t i = 0; i < 40; ++i) {
    mine.push_back(print(prompt + sim::words("m", i, 4), "positive"));
    yours.push_back(print(prompt + sim::words("y", i, 4), "positive"));
  }
  EXPECT_GE(jaccard(mine[0].shingles, yours[0].shingles), kNearCopy);
  EXPECT_EQ(distinct_rows(mine).size(), 40u);
  const ShingleSet ignored = shared_template({template_of(mine), template_of(yours)});
  EXPECT_EQ(jaccard(content(mine[0], ignored), content(yours[0], ignored)), 0.0);
  EXPECT_EQ(content(mine[0], ignored), content(mine[0], ignored));
}

TEST(duplicates, rows_that_are_all_template_differ_by_the_whole) {
  std::vector<Fingerprint> rows;
  for (size_t i = 0; i < 40; ++i) rows.push_back(print("x", i % 2 == 0 ? "same" : "other"));
  EXPECT_EQ(distinct_rows(rows), (std::vector<size_t>{0, 1}));
  EXPECT_EQ(distinct_rows({print("", "!!!"), print("", "???"), print("", "!!!")}).size(), 2u);
}

TEST(pool, pairs_lose_both_rows) {
  std::vector<lm::Row> rows = sim::rows("p", 9);
  rows[5] = rows[0];  // a copy within the pool
  Pool pool(rows);
  EXPECT_EQ(pool.duplicates(), 1u);
  EXPECT_EQ(pool.pairs(), (std::vector<Pair>{{0, 1}, {2, 3}, {6, 7}}));
  pool.drop(3);
  EXPECT_EQ(pool.pairs(), (std::vector<Pair>{{0, 1}, {6, 7}}));
}

TEST(pool, draws_without_replacement) {
  std::vector<Pair> pairs;
  for (size_t i = 0; i < 50; ++i) pairs.push_back({2 * i, 2 * i + 1});
  crypto::ChaChaRng rng(Bytes(32, 1));
  const Draw draw = draw_pairs(pairs, 20, 40, rng);
  EXPECT_EQ(draw.calibration.size(), 10u);
  EXPECT_EQ(draw.evaluation.size(), 40u);
  std::vector<bool> seen(100);
  for (const auto& list : {draw.calibration, draw.evaluation}) {
    for (const Pair& p : list) {
      EXPECT_FALSE(seen[p.a]);
      seen[p.a] = true;
    }
  }
  EXPECT_THROW(draw_pairs(pairs, 22, 40, rng), Error);
}

TEST(screen, echoes_but_not_quotations) {
  const PoolHabits none;
  const auto flag = [&](const std::string& q, const std::string& a) {
    return screen_texts({{q, a}}, none).flags[0];
  };
  EXPECT_EQ(flag("Define: dog", "Define: dog"), RowFlag::kEcho);
  EXPECT_EQ(flag("Define: dog", "dog"), RowFlag::kEcho);
  EXPECT_EQ(flag("What is the capital of France?", "what is the capital of france? It."),
            RowFlag::kEcho);
  EXPECT_EQ(flag("In 1889 the tower was built in Paris by Eiffel. Who built it?", "Eiffel"),
            RowFlag::kKeep);
  EXPECT_EQ(flag("Define: dog", "a domestic dog of a breed"), RowFlag::kKeep);
  EXPECT_EQ(flag("Define: dog", "  \n"), RowFlag::kEmpty);
}

TEST(screen, repeated_answers_need_unlike_questions) {
  std::vector<RowText> rows;
  for (size_t i = 0; i < 30; ++i) rows.push_back({sim::words("q", i, 5), sim::words("a", i, 5)});
  for (size_t i = 0; i < 3; ++i) rows.push_back({sim::words("r", i, 5), "thrice is fine"});
  EXPECT_EQ(screen_texts(rows, {}).largest_cluster, 0u);
  rows.push_back({sim::words("r", 9, 5), "Thrice is fine!"});
  const TextScreen screen = screen_texts(rows, {});
  EXPECT_EQ(screen.largest_cluster, 4u);
  EXPECT_EQ(std::count(screen.flags.begin(), screen.flags.end(), RowFlag::kRepeated), 4);
  EXPECT_EQ(screen_texts(rows, {{"thrice is fine"}, false}).largest_cluster, 0u);
  // The same question over and over is one question.
  std::vector<RowText> same;
  for (size_t i = 0; i < 6; ++i) same.push_back({"how are you today my friend", "fine"});
  EXPECT_EQ(screen_texts(same, {}).largest_cluster, 0u);
}

}  // namespace
}  // namespace ffe::gate
