// Stop strings over text in pieces, and whole characters out of tokens.
#include "lm/text_stream.hpp"

#include <gtest/gtest.h>

#include "crypto/random.hpp"
#include "lm/unicode.hpp"
#include "support/error_of.hpp"
#include "support/tiny_model.hpp"

namespace ffe::lm {
namespace {

struct Result {
  std::vector<std::string> pieces;
  std::string text;
  std::string found;
};

Result feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Result out;
  for (const std::string& piece : pieces) out.pieces.push_back(matcher.push(piece));
  out.pieces.push_back(matcher.finish());
  for (const std::string& piece : out.pieces) out.text += piece;
  out.found = matcher.found();
  return out;
}

TEST(StopMatcher, HoldsBackWhatCouldBegin) {
  StopMatcher matcher({"\nUser:"});
  EXPECT_EQ(matcher.push("Yes.\nUs"), "Yes.");
  EXPECT_EQ(matcher.push("e"), "");
  EXPECT_EQ(matcher.push("d to."), "\nUsed to.");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.push("\n"), "");
  EXPECT_EQ(matcher.finish(), "\n");
}

TEST(StopMatcher, TheFirstCompleteOneEndsTheText) {
  Result r = feed({"abcd", "bc"}, {"xab", "cd rest"});
  EXPECT_EQ(r.text, "xa");
  EXPECT_EQ(r.found, "bc");
  r = feed({"c", "abc"}, {"ab", "c"});
  EXPECT_EQ(r.text, "") << "complete at the same byte: the one that begins first";
  EXPECT_EQ(r.found, "abc");
}

TEST(StopMatcher, OverlapsWithItselfAreFound) {
  EXPECT_EQ(feed({"aab"}, {"aa", "ab!"}).text, "a");
  EXPECT_EQ(feed({"###"}, {"##", " #", "##", "x"}).text, "## ");
  EXPECT_EQ(feed({"abab"}, {"aba", "abab"}).text, "aba") << "\"aba\" begins it twice";
}

TEST(StopMatcher, NothingFollowsAStop) {
  StopMatcher matcher({"."});
  EXPECT_EQ(matcher.push("a.b"), "a");
  EXPECT_EQ(matcher.push("c"), "");
  EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, EmptyAndBrokenStringsAreRefused) {
  EXPECT_TRUE(test::error_of([] { StopMatcher m({""}); }).starts_with("usage: "));
  EXPECT_TRUE(test::error_of([] { StopMatcher m({"\xc3"}); }).starts_with("usage: "));
}

// Against the text as a whole: cut before the stop string that is complete first.
std::string expected(const std::string& text, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= text.size(); ++end) {
    size_t begin = std::string::npos;
    for (const std::string& s : stops) {
      if (std::string_view(text).substr(0, end).ends_with(s))
        begin = std::min(begin, end - s.size());
    }
    if (begin != std::string::npos) return text.substr(0, begin);
  }
  return text;
}

TEST(StopMatcher, AgreesWithASearchInTheWholeHoweverItIsCut) {
  crypto::ChaChaRng rng(Bytes(32, 7));
  const auto word = [&](size_t most) {
    std::string out(1 + rng.below(most), ' ');
    for (char& c : out) c = static_cast<char>('a' + rng.below(2));
    return out;
  };
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> stops(1 + rng.below(3));
    for (std::string& s : stops) s = word(5);
    std::vector<std::string> pieces(1 + rng.below(6));
    std::string whole;
    for (std::string& p : pieces) whole += p = word(6);
    EXPECT_EQ(feed(stops, pieces).text, expected(whole, stops)) << whole;
  }
}

TEST(TextStream, NeverGivesAPartOfACharacterOrOfAStop) {
  TempDir folder("ffe-text-stream");
  const Tokenizer tokenizer =
      Tokenizer::from_json(test::write_tiny_model(folder.path()) / "tokenizer.json");
  const std::string text = "naïve — 東京 🙂 «stop»!";
  TextStream stream(tokenizer, {"»!", "🙂🙂"});
  std::string shown;
  for (int32_t id : tokenizer.encode(text)) {  // one byte a token
    const std::string piece = stream.push(id);
    EXPECT_EQ(find_invalid_utf8(piece), std::string_view::npos) << piece;
    shown += piece;
  }
  EXPECT_TRUE(stream.stopped());
  EXPECT_EQ(shown + stream.finish(), "naïve — 東京 🙂 «stop");
  TextStream broken(tokenizer, {"x"});
  EXPECT_EQ(broken.push(0xe6), "");
  EXPECT_EQ(broken.finish(), "\xef\xbf\xbd") << "a character that never came whole";
}

}  // namespace
}  // namespace ffe::lm
