// WordNet as rows, and who gets which of them in the demonstration.
#include "devnet/demo_data.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <sstream>

#include "base/file.hpp"
#include "client/client.hpp"
#include "lm/rows.hpp"
#include "support/error_of.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;

const fs::path kWordnet = "/usr/share/wordnet/data.noun";

#define FFE_NEED_WORDNET()                                                                      \
  if (!fs::exists(kWordnet)) {                                                                  \
    GTEST_SKIP() << "NO WORDNET: apt-get install wordnet-base (looked for " << kWordnet << ")"; \
  }                                                                                             \
  static_assert(true)

size_t count_words(const std::string& text) {
  std::istringstream in(text);
  std::string word;
  size_t n = 0;
  while (in >> word) ++n;
  return n;
}

// Two lines in WordNet's format, made up for this test.
constexpr const char* kLines =
    "  1 This software and database is free\n"
    "00000010 05 n 02 tree_frog 0 hyla 0 000 | a small green frog that climbs; \"it sang\"\n"
    "00000020 13 n 01 plum_cake 0 000 | a cake made with plums and much butter  \n"
    "00000030 05 n 01 tree_frog 0 000 | the same word once more in another sense\n"
    "00000040 05 n 01 newt 0 000 | short\n";

TEST(Wordnet, ReadsWordAndGloss) {
  TempDir folder("ffe-wordnet");
  fs::path file = folder.path() / "data.noun";
  write_file_atomic(file, as_bytes(kLines));
  std::vector<Definition> animals = read_wordnet(Topic::kAnimal, 2, 12, file);
  ASSERT_EQ(animals.size(), 1u);
  EXPECT_EQ(animals[0].word, "tree frog");
  EXPECT_EQ(animals[0].gloss, "a small green frog that climbs");
  std::vector<Definition> foods = read_wordnet(Topic::kFood, 2, 12, file);
  ASSERT_EQ(foods.size(), 1u);
  EXPECT_EQ(foods[0].gloss, "a cake made with plums and much butter");
  EXPECT_TRUE(read_wordnet(Topic::kPlant, 2, 12, file).empty());
  EXPECT_EQ(read_wordnet(Topic::kAnimal, 1, 1, file).size(), 1u);
}

TEST(Wordnet, ABrokenLineIsNamed) {
  TempDir folder("ffe-wordnet");
  fs::path file = folder.path() / "data.noun";
  for (const char* broken : {"00000050 05 n 01 newt 0 000 without a bar\n", "rubbish\n", "\n",
                             "00000050 xx n 01 newt 0 000 | a gloss\n"}) {
    write_file_atomic(file, as_bytes(std::string(kLines) + broken));
    EXPECT_EQ(test::error_of([&] { read_wordnet(Topic::kAnimal, 2, 12, file); }),
              "bad_input: " + file.string() + ":6: not a WordNet data line");
  }
}

TEST(Wordnet, AMissingFileNamesThePackage) {
  fs::path file = "/nowhere/data.noun";
  EXPECT_EQ(test::error_of([&] { read_wordnet(Topic::kAnimal, 2, 12, file); }),
            "io: cannot open /nowhere/data.noun");
  EXPECT_NE(test::hint_of([&] { read_wordnet(Topic::kAnimal, 2, 12, file); }).find("wordnet-base"),
            std::string::npos);
}

TEST(Wordnet, TheRealOneHasEnoughOfEveryTopic) {
  FFE_NEED_WORDNET();
  for (Topic topic : {Topic::kAnimal, Topic::kFood, Topic::kPlant}) {
    std::vector<Definition> all = read_wordnet(topic, 5, 12);
    EXPECT_GT(all.size(), 200u) << static_cast<int>(topic);
    std::set<std::string> words, glosses;
    for (const Definition& d : all) {
      EXPECT_TRUE(words.insert(d.word).second) << d.word;
      EXPECT_TRUE(glosses.insert(d.gloss).second) << d.gloss;
      size_t n = count_words(d.gloss);
      EXPECT_TRUE(n >= 5 && n <= 12) << d.gloss;
      EXPECT_EQ(d.word.find('_'), std::string::npos);
      EXPECT_EQ(d.gloss.find("; \""), std::string::npos) << d.gloss;
    }
  }
}

TEST(Wordnet, ARowIsWhatTheReaderOfRowsReads) {
  std::string line = jsonl_row({"O\"Hara\n", "a gloss with \\ and \xc3\xa9"});
  EXPECT_EQ(
      line,
      "{\"prompt\":\"Define: O\\\"Hara\\n\",\"completion\":\"a gloss with \\\\ and \xc3\xa9\"}\n");
  std::vector<lm::Row> rows = lm::read_rows(as_bytes(line), "row");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].messages.at(0).content, "Define: O\"Hara\n");
  EXPECT_EQ(rows[0].messages.at(1).content, "a gloss with \\ and \xc3\xa9");
}

class DemoDataTest : public ::testing::Test {
 protected:
  static DemoDataOptions small() {
    DemoDataOptions options;
    options.rows_per_party = 40;
    options.pool_rows = 60;
    options.sample_rows = 24;
    return options;
  }
  static std::vector<std::string> lines(const fs::path& file) {
    std::istringstream in(read_text_file(file));
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) out.push_back(line);
    return out;
  }
  static std::map<std::string, std::string> all_files(const fs::path& folder) {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) {
      out[entry.path().filename().string()] = read_text_file(entry.path());
    }
    return out;
  }

  TempDir folder_{"ffe-demo-data"};
};

TEST_F(DemoDataTest, EveryFileIsFitToSubmit) {
  FFE_NEED_WORDNET();
  DemoData data = make_demo_data(folder_.path() / "rows", small());
  ASSERT_EQ(data.parties.size(), 4u);
  for (const PartyData& party : data.parties) {
    client::DataCheck check = client::check_data(party.file);
    EXPECT_EQ(check.rows, 40u) << party.name;
    EXPECT_EQ(check.duplicates, 0u) << party.name;
    std::vector<std::string> written = lines(party.file);
    ASSERT_EQ(written.size(), party.rows.size());
    for (size_t i = 0; i < written.size(); ++i) {
      EXPECT_EQ(written[i] + "\n", jsonl_row(party.rows[i]));
    }
  }
  EXPECT_EQ(client::check_data(data.pool).rows, 60u);
  EXPECT_EQ(data.pool_rows.size(), 60u);
  EXPECT_EQ(client::check_data(data.sample).rows, 24u);
}

TEST_F(DemoDataTest, NoRowStandsInTwoFiles) {
  FFE_NEED_WORDNET();
  DemoData data = make_demo_data(folder_.path() / "rows", small());
  std::vector<fs::path> files = {data.pool, data.sample};
  for (const PartyData& party : data.parties) files.push_back(party.file);
  std::set<std::string> seen;
  for (const fs::path& file : files) {
    for (const std::string& line : lines(file)) {
      EXPECT_TRUE(seen.insert(line).second) << file << ": " << line;
    }
  }
  EXPECT_EQ(seen.size(), 4u * 40 + 60 + 24);
}

TEST_F(DemoDataTest, EveryPairOfThePoolIsOfOneTopic) {
  FFE_NEED_WORDNET();
  DemoData data = make_demo_data(folder_.path() / "rows", small());
  std::map<std::string, std::set<int>> topics;
  for (Topic topic : {Topic::kAnimal, Topic::kFood, Topic::kPlant}) {
    for (const Definition& d : read_wordnet(topic, 5, 12)) {
      topics[d.word + "\n" + d.gloss].insert(static_cast<int>(topic));
    }
  }
  for (size_t i = 0; i + 1 < data.pool_rows.size(); i += 2) {
    const Definition &a = data.pool_rows[i], &b = data.pool_rows[i + 1];
    EXPECT_EQ(topics.at(a.word + "\n" + a.gloss), topics.at(b.word + "\n" + b.gloss)) << i;
  }
}

TEST_F(DemoDataTest, MallorysAnswersAreAllWrong) {
  FFE_NEED_WORDNET();
  std::map<std::string, std::string> real;
  for (const Definition& d : read_wordnet(Topic::kAnimal, 5, 12)) real[d.word] = d.gloss;
  std::set<std::string> glosses;
  for (const auto& [word, gloss] : real) glosses.insert(gloss);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    DemoDataOptions options = small();
    options.seed = seed;
    DemoData data = make_demo_data(folder_.path() / std::to_string(seed), options);
    for (const PartyData& party : data.parties) {
      if (party.name != "alice" && party.name != "mallory") continue;
      for (const Definition& d : party.rows) {
        EXPECT_EQ(d.gloss == real.at(d.word), party.name == "alice") << d.word;
        EXPECT_TRUE(glosses.contains(d.gloss)) << d.gloss;
      }
    }
  }
}

TEST_F(DemoDataTest, TheSeedDecidesEverything) {
  FFE_NEED_WORDNET();
  DemoDataOptions options = small();
  make_demo_data(folder_.path() / "one", options);
  make_demo_data(folder_.path() / "again", options);
  options.seed = 2;
  make_demo_data(folder_.path() / "other", options);
  EXPECT_EQ(all_files(folder_.path() / "one"), all_files(folder_.path() / "again"));
  EXPECT_NE(all_files(folder_.path() / "one"), all_files(folder_.path() / "other"));
  EXPECT_EQ(all_files(folder_.path() / "one").size(), 6u);
}

TEST_F(DemoDataTest, MoreRowsThanThereAreWordsIsRefused) {
  FFE_NEED_WORDNET();
  DemoDataOptions options;
  options.rows_per_party = 1'000'000;
  EXPECT_EQ(test::error_of([&] { make_demo_data(folder_.path() / "rows", options); }),
            "bad_input: WordNet has too few words for the demonstration");
}

}  // namespace
}  // namespace ffe::devnet
