#include "lm/tokenizer.hpp"

#include <ctime>
#include <gtest/gtest.h>

#include "lm/lm_test_util.hpp"
#include "lm/tokenizer_impl.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {
namespace {

using testing::error_of;
namespace fs = std::filesystem;

struct Family {
  std::string name;
  fs::path cases;
  fs::path tokenizer;  // empty: the base model's GGUF
};

std::vector<Family> families() {
  std::vector<Family> out;
  for (const fs::path& root : testing::vector_roots("lm")) {
    if (!fs::is_directory(root / "tokenizer")) continue;
    for (const auto& entry : fs::directory_iterator(root / "tokenizer")) {
      const std::string file = entry.path().filename().string();
      if (!file.ends_with(".json") || file.ends_with(".tokenizer.json")) continue;
      Family f{entry.path().stem().string(), entry.path(), {}};
      const fs::path own = root / "tokenizer" / (f.name + ".tokenizer.json");
      if (fs::exists(own)) f.tokenizer = own;
      out.push_back(f);
    }
  }
  return out;
}

Tokenizer load(const Family& family) {
  if (!family.tokenizer.empty()) return Tokenizer::from_json(family.tokenizer);
  return Tokenizer::from(ModelFile::open(default_model_path()));
}

Tokenizer family_tokenizer(std::string_view name) {
  for (const Family& f : families()) {
    if (f.name == name) return load(f);
  }
  throw Error(ErrorCode::kFailed, "no vectors for " + std::string(name));
}

TEST(Vectors, EveryIdAndText) {
  const std::vector<Family> all = families();
  FFE_SKIP_WITHOUT_VECTORS(all, "tokenizer/*.json");
  for (const Family& family : all) {
    SCOPED_TRACE(family.name);
    if (family.tokenizer.empty() && default_model_path().empty()) {
      std::cerr << "NO BASE MODEL: skipping " << family.name << "; set FFE_MODEL\n";
      continue;
    }
    const Tokenizer tokenizer = load(family);
    const Json cases = testing::load_json(family.cases);
    ASSERT_GT(cases["cases"].size(), 0u);
    for (const Json& c : cases["cases"]) {
      const std::string text = c["text"].get<std::string>();
      const auto ids = c["ids"].get<std::vector<int32_t>>();
      EXPECT_EQ(tokenizer.encode(text, c.value("special", true)), ids) << text;
      EXPECT_EQ(tokenizer.decode(ids), c["decoded"].get<std::string>()) << text;
      StreamDecoder stream(tokenizer, false);
      std::string streamed;
      for (int32_t id : ids) {
        const std::string part = stream.push(id);
        EXPECT_EQ(find_invalid_utf8(part), std::string::npos);
        streamed += part;
      }
      EXPECT_EQ(streamed + stream.finish(), c["decoded"].get<std::string>()) << text;
    }
  }
}

TEST(Special, UserTextNeverBecomesControlTokens) {
  const std::vector<Family> all = families();
  FFE_SKIP_WITHOUT_VECTORS(all, "tokenizer/*.json");
  for (const Family& family : all) {
    if (family.tokenizer.empty() && default_model_path().empty()) continue;
    SCOPED_TRACE(family.name);
    const Tokenizer tokenizer = load(family);
    for (int32_t id = 0; id < static_cast<int32_t>(tokenizer.vocab_size()); ++id) {
      if (!tokenizer.is_special(id) || tokenizer.token(id).empty()) continue;
      const std::string text = "a" + tokenizer.token(id) + "b";
      const std::vector<int32_t> typed = tokenizer.encode(text);
      for (int32_t t : typed) EXPECT_FALSE(tokenizer.is_special(t)) << text;
      EXPECT_EQ(tokenizer.decode(typed), text);
      const std::vector<int32_t> parsed = tokenizer.encode(text, true);
      EXPECT_NE(std::find(parsed.begin(), parsed.end(), id), parsed.end()) << text;
      EXPECT_EQ(tokenizer.decode(parsed, true).find(tokenizer.token(id)), std::string::npos);
    }
  }
}

// Reference: merge the best pair of the whole word again and again.
std::vector<int32_t> merge_slowly(const BpeMerges& merges, std::vector<int32_t> symbols) {
  while (true) {
    const BpeMerge* best = nullptr;
    size_t at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const BpeMerge* m = merges.find(symbols[i], symbols[i + 1]);
      if (m != nullptr && (best == nullptr || m->rank < best->rank)) {
        best = m;
        at = i;
      }
    }
    if (best == nullptr) return symbols;
    symbols[at] = best->result;
    symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
}

TEST(Bpe, EqualsTheObviousAlgorithm) {
  uint32_t state = 1;
  const auto random = [&](uint32_t n) {
    state = state * 1664525u + 1013904223u;
    return static_cast<int32_t>((state >> 8) % n);
  };
  for (int round = 0; round < 300; ++round) {
    BpeMerges merges;
    int32_t tokens = 3;
    for (uint32_t rank = 0; rank < 20; ++rank) {
      // Some ranks are shared, as SentencePiece's scores may be.
      merges.add(random(static_cast<uint32_t>(tokens)), random(static_cast<uint32_t>(tokens)),
                 {rank / (1 + rank % 2), tokens});
      ++tokens;
    }
    std::vector<int32_t> word(static_cast<size_t>(random(60)));
    for (int32_t& symbol : word) symbol = random(3);
    std::vector<int32_t> fast;
    merges.apply(word, fast);
    EXPECT_EQ(fast, merge_slowly(merges, word)) << "round " << round;
  }
}

TEST(Bpe, HostileLongWordsStayCheap) {
  const std::vector<Family> all = families();
  FFE_SKIP_WITHOUT_VECTORS(all, "tokenizer/*.json");
  std::string word(1 << 20, 'a');
  std::string spaces(1 << 20, ' ');
  std::string specials;
  while (specials.size() < 1 << 20) specials += "<|im_";
  std::string marks = "e";
  while (marks.size() < 1 << 20) marks += "\xcc\x81\xcc\xa3";
  for (const Family& family : all) {
    if (family.tokenizer.empty() && default_model_path().empty()) continue;
    SCOPED_TRACE(family.name);
    const Tokenizer tokenizer = load(family);
    for (const std::string& text : {word, spaces, specials, marks}) {
      const std::clock_t start = std::clock();  // of the processor: other work does not count
      const std::vector<int32_t> ids = tokenizer.encode(text, true);
      const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      EXPECT_FALSE(ids.empty());
      EXPECT_LT(took, 8.0) << text.substr(0, 8);
    }
  }
}

TEST(Bpe, CachedPiecesGiveTheSameIds) {
  const std::vector<Family> all = families();
  FFE_SKIP_WITHOUT_VECTORS(all, "tokenizer/*.json");
  const Tokenizer tokenizer = family_tokenizer("qwen2-style");
  const std::string text = "the same words, the same words; the same words";
  const std::vector<int32_t> first = tokenizer.encode(text);
  EXPECT_EQ(tokenizer.encode(text), first);
  EXPECT_EQ(family_tokenizer("qwen2-style").encode(text), first);
}

TEST(Unicode, ComposesCanonically) {
  EXPECT_EQ(to_nfc("e\xcc\x81"), "\xc3\xa9");
  EXPECT_EQ(to_nfc("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");  // Hangul L V T
  EXPECT_EQ(to_nfc("\xe2\x84\xab"), "\xc3\x85");                              // Angstrom sign
  // Marks are ordered by class first; a mark of equal class blocks the second.
  EXPECT_EQ(to_nfc("a\xcc\x81\xcc\xa3"), to_nfc("a\xcc\xa3\xcc\x81"));
  EXPECT_EQ(to_nfc("a\xcc\x88\xcc\x81"), "\xc3\xa4\xcc\x81");
  // U+0958 is excluded from composition.
  EXPECT_EQ(to_nfc("\xe0\xa5\x98"), "\xe0\xa4\x95\xe0\xa4\xbc");
}

TEST(Unicode, ComposesAsTheReference) {
  size_t cases = 0;
  for (const fs::path& root : testing::vector_roots("lm")) {
    if (!fs::exists(root / "nfc.json")) continue;
    const Json json = testing::load_json(root / "nfc.json");
    for (const Json& c : json["cases"]) {
      EXPECT_EQ(to_nfc(c[0].get<std::string>()), c[1].get<std::string>()) << c[0];
      ++cases;
    }
  }
  EXPECT_GE(cases, 300u);
}

TEST(Unicode, NormalFormsOfEveryCharacterAreStable) {
  for (uint32_t cp = 1; cp < 0x110000; ++cp) {
    if (cp >= 0xd800 && cp < 0xe000) continue;
    std::string text;
    append_utf8(text, cp);
    ASSERT_EQ(utf8_length(text, 0), text.size());
    ASSERT_EQ(utf8_code_point(text, 0, text.size()), cp);
    const std::string normal = to_nfc(text);
    ASSERT_EQ(to_nfc(normal), normal) << cp;
  }
}

TEST(Unicode, RepairsBrokenText) {
  const std::string r(kReplacementCharacter);
  EXPECT_EQ(repair_utf8("a\xff"
                        "b"),
            "a" + r + "b");
  EXPECT_EQ(repair_utf8("\xe2\x82"), r);  // one cut character: one mark
  EXPECT_EQ(repair_utf8("\xe2\x82"
                        "a"),
            r + "a");
  EXPECT_EQ(repair_utf8("\xc0\xaf"), r + r);          // overlong
  EXPECT_EQ(repair_utf8("\xed\xa0\x80"), r + r + r);  // surrogate
  EXPECT_EQ(repair_utf8("\xf0\x9f\x98"), r);
  EXPECT_EQ(repair_utf8("\xf4\x90\x80\x80"), r + r + r + r);
}

TEST(Unicode, BrokenTextIsTokenisedAsItsRepair) {
  const std::vector<Family> all = families();
  FFE_SKIP_WITHOUT_VECTORS(all, "tokenizer/*.json");
  const Tokenizer tokenizer = family_tokenizer("llama3-style");
  EXPECT_EQ(tokenizer.encode("x\xffy"), tokenizer.encode("x\xef\xbf\xbdy"));
}

Json small_tokenizer() {
  return parse_json(R"({"added_tokens":[{"id":0,"content":"<s>","special":true}],
    "normalizer":null,
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
    "decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"<s>":0,"a":1,"b":2,"ab":3,"Ġ":4},"merges":["a b"]}})",
                    "small");
}

std::string load_error(const Json& json) {
  return error_of([&] { Tokenizer::from_json(json, "t.json"); });
}

TEST(BadFiles, ErrorsNameTheField) {
  EXPECT_EQ(load_error(small_tokenizer()), "");
  const auto broken = [](std::string_view pointer, Json value) {
    Json json = small_tokenizer();
    json[Json::json_pointer(std::string(pointer))] = std::move(value);
    return load_error(json);
  };
  using testing::error_of;
  const std::vector<std::pair<std::string, std::string>> wanted = {
      {broken("/model/type", "Unigram"), "Unigram"},
      {broken("/model/vocab", Json::array()), "vocab"},
      {broken("/model/vocab/a", -1), "vocab"},
      {broken("/model/vocab/a", 2), "id"},
      {broken("/model/vocab/a", 4'000'000'000u), "out of range"},
      {broken("/model/vocab/a", uint64_t{1} << 63), "out of range"},
      // Within what a vocabulary may have, but not one of three entries.
      {broken("/model/vocab/a", 1'000'000u), "out of range"},
      {broken("/added_tokens", Json(Json::array_t(20'000, Json::object()))), "added_tokens"},
      {broken("/model/merges", Json::array({"a z"})), "merges[0]"},
      {broken("/model/merges", Json::array({"ab"})), "merges[0]"},
      {broken("/model/merges", Json::array({Json::array({"a"})})), "merges[0]"},
      {broken("/model/merges", 7), "merges"},
      {broken("/model/dropout", 0.1), "dropout"},
      {broken("/model/unk_token", "zz"), "unk_token"},
      {broken("/normalizer", {{"type", "Lowercase"}}), "Lowercase"},
      {broken("/pre_tokenizer", {{"type", "Whitespace"}}), "Whitespace"},
      {broken("/pre_tokenizer",
              {{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", "(a"}}}}),
       "regular expression"},
      {broken("/added_tokens", {{{"id", 0u}, {"content", "<x>"}}}), "given twice"},
      {broken("/added_tokens", {{{"id", 9u}, {"content", "a"}}}), "two ids"},
      {broken("/post_processor",
              {{"type", "TemplateProcessing"}, {"single", {{{"SpecialToken", {{"id", "no"}}}}}}}),
       "post_processor"},
  };
  for (const auto& [message, part] : wanted) {
    EXPECT_NE(message.find(part), std::string::npos) << "\"" << message << "\" lacks " << part;
    EXPECT_EQ(message.rfind("t.json", 0), 0u) << message;
  }
}

TEST(BadFiles, IdsOutsideTheVocabularyAreRefused) {
  const Tokenizer tokenizer = Tokenizer::from_json(small_tokenizer(), "small");
  const std::vector<int32_t> high = {5}, low = {-1};
  EXPECT_NE(error_of([&] { tokenizer.decode(high); }), "");
  EXPECT_NE(error_of([&] { tokenizer.decode(low); }), "");
  EXPECT_EQ(tokenizer.encode("ab a"), (std::vector<int32_t>{3, 4, 1}));
}

TEST(BadFiles, MergesNeverMakeControlTokens) {
  Json json = small_tokenizer();
  json["added_tokens"].push_back({{"id", 3u}, {"content", "ab"}, {"special", true}});
  const Tokenizer tokenizer = Tokenizer::from_json(json, "small");
  EXPECT_EQ(tokenizer.encode("ab"), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(tokenizer.encode("ab", true), (std::vector<int32_t>{3}));
}

}  // namespace
}  // namespace ffe::lm
