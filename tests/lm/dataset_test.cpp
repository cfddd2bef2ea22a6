// Files of rows as examples: what is counted, cut, left out and held out.
#include "lm/dataset.hpp"

#include <gtest/gtest.h>
#include <set>

#include "support/error_of.hpp"
#include "support/tiny_model.hpp"

namespace ffe::lm {
namespace {

namespace fs = std::filesystem;

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest()
      : tokenizer_(Tokenizer::from_json(test::write_tiny_model(folder_.path()) / "tokenizer.json")),
        chat_(ChatStyle::kChatMl, tokenizer_) {}

  Dataset read(const std::string& text, size_t max_tokens = 2048) {
    file_ = folder_.path() / "rows.jsonl";
    write_file_atomic(file_, as_bytes(text));
    ExampleOptions options;
    options.max_tokens = max_tokens;
    return read_dataset(file_, tokenizer_, &chat_, options);
  }
  std::string error(const std::string& text, size_t max_tokens = 2048) {
    return test::error_of([&] { read(text, max_tokens); });
  }

  TempDir folder_{"ffe-dataset"};
  Tokenizer tokenizer_;
  ChatTemplate chat_;
  fs::path file_;
};

TEST_F(DatasetTest, CountsWhatItReadsAndKeepsTheLines) {
  const Dataset data = read("\n{\"text\":\"ab\"}\n\n{\"prompt\":\"q\",\"completion\":\"xy\"}\n");
  EXPECT_EQ(data.examples.size(), 2u);
  EXPECT_EQ(data.lines, (std::vector<size_t>{2, 4}));
  EXPECT_EQ(data.without_target, 0u);
  EXPECT_EQ(data.truncated_count(), 0u);
  // Of "ab" the second; "xy", <|im_end|>, line feed.
  EXPECT_EQ(data.targets(), 1u + 4u);
}

TEST_F(DatasetTest, LongRowsAreCutOrLeftOut) {
  const std::string text =
      "{\"prompt\":\"q\",\"completion\":\"0123456789\"}\n"
      "{\"prompt\":\"a question that fills it all\",\"completion\":\"x\"}\n"
      "{\"text\":\"ab\"}\n";
  const Dataset data = read(text, 24);
  EXPECT_EQ(data.rows(), 3u);
  EXPECT_EQ(data.without_target, 1u);
  EXPECT_EQ(data.lines, (std::vector<size_t>{1, 3}));
  EXPECT_EQ(data.truncated, (std::vector<uint8_t>{1, 0}));
}

TEST_F(DatasetTest, NamesWhatItCannotUse) {
  const std::string at = (folder_.path() / "rows.jsonl").string();
  EXPECT_EQ(error(""), "bad_input: " + at + ": no rows");
  EXPECT_EQ(error("\n \n"), "bad_input: " + at + ": no rows");
  EXPECT_TRUE(error("{\"text\":\"a\"}\n{\"text\":}\n").starts_with("bad_input: " + at + ":2:9: "))
      << error("{\"text\":\"a\"}\n{\"text\":}\n");
  EXPECT_TRUE(error("{\"prompt\":\"long enough\",\"completion\":\"x\"}\n", 8)
                  .starts_with("bad_input: " + at + ": no row has an answer"));
  EXPECT_TRUE(test::error_of([&] {
                read_dataset(folder_.path() / "absent", tokenizer_, &chat_, {});
              }).starts_with("io: "));
}

TEST_F(DatasetTest, HoldsOutAShareWithoutTornTwins) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "{\"text\":\"row " + std::to_string(i % 20) + "\"}\n";
  Dataset data = read(text);
  const Dataset held = hold_out(data, 0.25, crypto::ChaChaRng(Bytes(32, 1)));
  EXPECT_EQ(held.examples.size(), 10u);
  EXPECT_EQ(data.examples.size(), 30u);
  EXPECT_TRUE(std::is_sorted(held.lines.begin(), held.lines.end()));
  std::set<std::vector<int32_t>> trained;
  for (const Example& e : data.examples) trained.insert(e.tokens);
  for (const Example& e : held.examples) EXPECT_FALSE(trained.contains(e.tokens));
  Dataset again = read(text);
  EXPECT_EQ(hold_out(again, 0.25, crypto::ChaChaRng(Bytes(32, 1))).lines, held.lines);
  Dataset twins = read("{\"text\":\"same\"}\n{\"text\":\"same\"}\n");
  EXPECT_TRUE(test::error_of([&] {
                hold_out(twins, 0.5, crypto::ChaChaRng(Bytes(32, 1)));
              }).starts_with("bad_input: "));
}

TEST_F(DatasetTest, TheHashIsOfWhatIsTrainedOn) {
  const Dataset a = read("{\"text\":\"ab\"}\n{\"text\":\"c\"}\n");
  const Dataset b = read("\n{ \"text\" : \"ab\", \"id\": 1 }\n{\"text\":\"c\"}\n");
  const Dataset c = read("{\"text\":\"a\"}\n{\"text\":\"bc\"}\n");
  EXPECT_EQ(hash_of(a.examples), hash_of(b.examples));
  EXPECT_NE(hash_of(a.examples), hash_of(c.examples));
}

}  // namespace
}  // namespace ffe::lm
