#include "lm/rows.hpp"

#include <gtest/gtest.h>
#include <sstream>

#include "lm/lm_test_util.hpp"

namespace ffe::lm {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

fs::path own_chat(std::string_view name) {
  return fs::path(FFE_SOURCE_DIR) / "tests" / "vectors" / "lm" / "chat" / name;
}

std::vector<Row> rows_of(std::string_view text, RowLimits limits = {},
                         RowReport* report = nullptr) {
  return read_rows(as_bytes(text), "data.jsonl", limits, report);
}

TEST(Rows, EveryShapeIsRead) {
  const std::vector<Row> rows = rows_of(
      "\xef\xbb\xbf"
      R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},{"role":"assistant","content":"a"}]}

{"prompt":"p","completion":"c","id":7}
{"instruction":"i","input":"","output":"o"})"
      "\r\n"
      R"({"instruction":"i","input":"x","output":"o"}
{"prompt":[{"role":"user","content":"q"}],"completion":[{"role":"assistant","content":"r"}]}
{"text":"plain é"})");
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[0].messages.size(), 3u);
  EXPECT_EQ(rows[1].messages, (std::vector<Message>{{"user", "p"}, {"assistant", "c"}}));
  EXPECT_EQ(rows[2].messages[0].content, "i");
  EXPECT_EQ(rows[3].messages[0].content, "i\n\nx");
  EXPECT_EQ(rows[4].messages, (std::vector<Message>{{"user", "q"}, {"assistant", "r"}}));
  EXPECT_EQ(rows[5].kind, Row::Kind::kText);
  EXPECT_EQ(rows[5].text, "plain \xc3\xa9");
}

TEST(Rows, ErrorsNameLineAndColumn) {
  const std::string good = R"({"text":"t"})";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"{\"text\": x}", ":2:10: not JSON"},
      {"{\"text\":\"t\"", ":2:12: not JSON"},
      {"{\"text\":\"\xff\"}", ":2:10: not UTF-8"},
      {"[1]", ":2:1: not an object"},
      {"{\"text\":1}", ":2:1: \"text\" is not a text"},
      {"{\"text\":\"\"}", ":2:1: \"text\" is empty"},
      {"{}", ":2:1: has none of"},
      {"{\"prompt\":\"p\"}", ":2:1: has no \"completion\""},
      {"{\"text\":\"secret-key\",\"text\":\"u\"}", ":2:1: nested deeper"},
      {"{\"text\":\"\\ud800\"}", ":2:"},
      {"{\"text\":\"t\",\"n\":1e999}", "number is out of range"},
      {R"({"messages":[]})", "does not end with"},
      {R"({"messages":[{"role":"user","content":"u"}]})", "does not end with"},
      {R"({"messages":[{"role":"tool","content":"u"}]})", "messages[0]: the role"},
      {R"({"messages":[{"role":"user","content":[1]}]})", "\"content\" is not a text"},
      {R"({"messages":[{"role":"user","content":"u"},{"role":"system","content":"s"}]})",
       "messages[1]: only the first"},
      {R"({"messages":{"role":"user"}})", "not a list"},
  };
  for (const auto& [line, wanted] : bad) {
    const std::string text = good + "\n" + line + "\n" + good + "\n";
    const std::string message = error_of([&] { rows_of(text); });
    EXPECT_EQ(message.rfind("data.jsonl:2:", 0), 0u) << message;
    EXPECT_NE(message.find(wanted), std::string::npos) << message << " lacks " << wanted;
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
    RowReport report;
    EXPECT_EQ(rows_of(text, {}, &report).size(), 2u);
    EXPECT_EQ(report.rows, 3u);
    ASSERT_EQ(report.bad_count, 1u);
    EXPECT_EQ(report.bad[0].line, 2u);
  }
}

TEST(Rows, LimitsHold) {
  RowLimits limits;
  limits.max_line_bytes = 40;
  limits.max_rows = 3;
  RowReport report;
  const std::string big = "{\"text\":\"" + std::string(100, 'a') + "\"}\n";
  EXPECT_EQ(rows_of(big + "{\"text\":\"ok\"}\n", limits, &report).size(), 1u);
  EXPECT_EQ(report.bad[0].reason, "longer than 40 bytes");
  const std::string four =
      "{\"text\":\"a\"}\n{\"text\":\"a\"}\n{\"text\":\"a\"}\n{\"text\":\"a\"}\n";
  EXPECT_EQ(error_of([&] { rows_of(four, limits); }), "data.jsonl: more than 3 rows");
  // Depth is checked before anything deep is built; bad rows beyond max_reported only count.
  std::string deep;
  for (int i = 0; i < 5; ++i) {
    deep += "{\"text\":" + std::string(200'000, '[') + std::string(200'000, ']') + "}\n";
  }
  RowReport many;
  limits = {};
  limits.max_reported = 2;
  EXPECT_TRUE(rows_of(deep, limits, &many).empty());
  EXPECT_EQ(many.bad_count, 5u);
  EXPECT_EQ(many.bad.size(), 2u);
  limits.max_messages = 1;
  EXPECT_NE(
      error_of([&] {
        rows_of(
            R"({"messages":[{"role":"user","content":"u"},{"role":"assistant","content":"a"}]})",
            limits);
      }).find("more than 1 messages"),
      std::string::npos);
}

TEST(Rows, AnyBytesAreRowsOrErrors) {
  uint32_t state = 3;
  const std::string seed =
      "{\"messages\":[{\"role\":\"user\",\"content\":\"u\\u00e9\"},{\"role\":\"assistant\","
      "\"content\":\"a\"}]}\n{\"text\":\"t\"}\n";
  for (int round = 0; round < 3000; ++round) {
    std::string text = seed;
    for (int flips = 0; flips < 4; ++flips) {
      state = state * 1664525u + 1013904223u;
      text[(state >> 8) % text.size()] = static_cast<char>(state >> 24);
    }
    RowReport report;
    const size_t good = rows_of(text, {}, &report).size();
    EXPECT_EQ(good + report.bad_count, report.rows);
  }
}

class Examples : public ::testing::Test {
 protected:
  Tokenizer tokenizer = Tokenizer::from_json(own_chat("chatml.tokenizer.json"));
  ChatTemplate chat{ChatStyle::kChatMl, tokenizer};
  ExampleOptions options;

  std::string targets(const Example& e) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < e.tokens.size(); ++i) {
      if (e.target[i] != 0) ids.push_back(e.tokens[i]);
    }
    return tokenizer.decode(ids);
  }
  static Row pair(std::string q, std::string a) {
    return {Row::Kind::kChat, {{"user", std::move(q)}, {"assistant", std::move(a)}}, {}};
  }
};

TEST_F(Examples, TargetsAreTheAnswersOfEveryTurn) {
  Row row = pair("one", "two");
  row.messages.push_back({"user", "three"});
  row.messages.push_back({"assistant", "four"});
  bool truncated = true;
  const Example e = to_example(row, tokenizer, &chat, options, &truncated);
  EXPECT_FALSE(truncated);
  EXPECT_EQ(targets(e), "two<|im_end|>\nfour<|im_end|>\n");
  EXPECT_EQ(e.target[0], 0);
  EXPECT_EQ(tokenizer.decode(e.tokens), chat.render(row.messages, false, false));
}

TEST_F(Examples, TruncationIsReported) {
  const Row row = pair("one two three", "four five six");
  const Example whole = to_example(row, tokenizer, &chat, options);
  bool truncated = false;
  options.max_tokens = whole.tokens.size() - 2;
  const Example cut = to_example(row, tokenizer, &chat, options, &truncated);
  EXPECT_TRUE(truncated);
  EXPECT_EQ(cut.tokens.size(), options.max_tokens);
  EXPECT_LT(cut.target_count(), whole.target_count());
  options.max_tokens = 3;
  EXPECT_EQ(to_example(row, tokenizer, &chat, options).target_count(), 0u);
}

TEST_F(Examples, AnswersAreSwapped) {
  Row a = pair("one", "two");
  a.messages.insert(a.messages.begin(), {{"user", "zero"}, {"assistant", "null"}});
  const Row b = pair("three", "four");
  const Example swapped = with_answer(a, b, tokenizer, &chat, options);
  EXPECT_EQ(targets(swapped), "four<|im_end|>\n");
  EXPECT_EQ(
      tokenizer.decode(swapped.tokens),
      chat.render({{"user", "zero"}, {"assistant", "null"}, {"user", "one"}, {"assistant", "four"}},
                  false, false));
  const Example self = with_answer(b, b, tokenizer, &chat, options);
  EXPECT_EQ(self, to_example(b, tokenizer, &chat, options));
}

TEST_F(Examples, PlainTextIsCutInHalf) {
  const Row a{Row::Kind::kText, {}, "The quick brown fox jumps"};
  const Row b{Row::Kind::kText, {}, "the model answers"};
  const Example whole = to_example(a, tokenizer, nullptr, options);
  EXPECT_EQ(whole.target_count() + 1, whole.tokens.size());
  const std::vector<int32_t> ids = tokenizer.encode(a.text);
  const Example self = with_answer(a, a, tokenizer, nullptr, options);
  EXPECT_EQ(self.tokens, whole.tokens);
  EXPECT_EQ(self.target_count(), ids.size() - ids.size() / 2);
  const std::vector<int32_t> other = tokenizer.encode(b.text);
  const Example swapped = with_answer(a, b, tokenizer, nullptr, options);
  EXPECT_EQ(swapped.target_count(), other.size() - other.size() / 2);
  EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(ids.size() / 2),
                         swapped.tokens.begin()));
  EXPECT_NE(error_of([&] { with_answer(a, pair("q", "a"), tokenizer, &chat, options); }), "");
}

TEST_F(Examples, ConversationsNeedATemplate) {
  const std::string message =
      error_of([&] { to_example(pair("q", "a"), tokenizer, nullptr, options); });
  EXPECT_NE(message.find("chat template"), std::string::npos);
}

}  // namespace
}  // namespace ffe::lm
