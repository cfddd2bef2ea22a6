#include "contributions.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <sstream>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "devnet/wordnet.hpp"

namespace ffe::bench {
namespace {

using crypto::ChaChaRng;
using devnet::Definition;
using Definitions = std::vector<Definition>;

constexpr size_t kRows = 96;
constexpr size_t kPoolRows = 336;  // for 96 pairs, with what statistic 1 calibrates on
constexpr size_t kSampleRows = 48;
// Lexicographer files of the pool: animals, plants, foods.
constexpr int kPoolFiles[] = {5, 20, 13};

lm::Row row(std::string question, std::string answer) {
  lm::Row out;
  out.messages = {{"user", std::move(question)}, {"assistant", std::move(answer)}};
  return out;
}

std::vector<lm::Row> rows(const Definitions& definitions) {
  std::vector<lm::Row> out;
  for (const Definition& d : definitions) out.push_back(row("Define: " + d.word, d.gloss));
  return out;
}

ChaChaRng rng_of(uint64_t seed, const std::string& label) {
  const std::string key = std::to_string(seed) + "/" + label;
  return ChaChaRng(crypto::sha256(as_bytes(key)).bytes);
}

// Words of every lexicographer file, each handed out once a session.
class WordNet {
 public:
  explicit WordNet(uint64_t seed) : seed_(seed) {}

  // numbers: lexnames(5WN), nouns 3 to 28, verbs 29 to 43.
  Definitions take(int number, size_t n) {
    Source& source = sources_[number];
    if (source.words.empty()) {
      source.words = devnet::read_wordnet(
          static_cast<devnet::Topic>(number), 5, 12,
          number < 29 ? "/usr/share/wordnet/data.noun" : "/usr/share/wordnet/data.verb");
      ChaChaRng rng = rng_of(seed_, "file " + std::to_string(number));
      rng.shuffle(source.words);
    }
    if (source.words.size() - source.taken < n) {
      throw Error(ErrorCode::kBadInput,
                  "lexicographer file " + std::to_string(number) + " has too few words");
    }
    const auto begin = source.words.begin() + static_cast<std::ptrdiff_t>(source.taken);
    source.taken += n;
    return {begin, begin + static_cast<std::ptrdiff_t>(n)};
  }

 private:
  struct Source {
    Definitions words;
    size_t taken = 0;
  };
  uint64_t seed_;
  std::map<int, Source> sources_;
};

// --- What is done to honest rows ---------------------------------------------------------------

// The first `n` answers go to other questions among these rows.
Definitions shuffled(Definitions d, size_t n, ChaChaRng& rng) {
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  rng.shuffle(order);
  const Definitions from = d;
  // One cycle through all of them: nobody keeps his own.
  for (size_t i = 0; i < n; ++i) d[order[i]].gloss = from[order[(i + 1) % n]].gloss;
  rng.shuffle(d);
  return d;
}

std::vector<std::string> split(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

std::string garbage(ChaChaRng& rng) {
  std::vector<std::string> words(8 + rng.below(6));
  for (std::string& word : words) {
    for (size_t i = 2 + rng.below(8); i-- > 0;) word += static_cast<char>('a' + rng.below(26));
  }
  return join(words);
}

Definitions with_garbage(Definitions d, size_t n, ChaChaRng& rng) {
  for (size_t i = 0; i < n; ++i) d[i].gloss = garbage(rng);
  rng.shuffle(d);
  return d;
}

std::vector<lm::Row> arithmetic(ChaChaRng& rng) {
  std::vector<lm::Row> out;
  for (size_t i = 0; i < kRows; ++i) {
    const uint64_t a = 10 + rng.below(990), b = 10 + rng.below(990);
    out.push_back(row(
        "What is " + std::to_string(a) + " plus " + std::to_string(b) + "?",
        std::to_string(a) + " plus " + std::to_string(b) + " is " + std::to_string(a + b) + "."));
  }
  return out;
}

// Another way of asking and answering the same.
std::vector<lm::Row> conversational(const Definitions& definitions) {
  std::vector<lm::Row> out;
  for (const Definition& d : definitions) {
    out.push_back(row("Hello! Could you tell me what the word \"" + d.word + "\" means?",
                      "Of course. It means: " + d.gloss + "."));
  }
  return out;
}

using Maker = std::function<std::vector<lm::Row>(WordNet&, ChaChaRng&)>;

Maker honest(int file, size_t n = kRows) {
  return [=](WordNet& w, ChaChaRng&) { return rows(w.take(file, n)); };
}

Maker spoiled(int file, const std::function<Definitions(Definitions, ChaChaRng&)>& spoil) {
  return [=](WordNet& w, ChaChaRng& rng) { return rows(spoil(w.take(file, kRows), rng)); };
}

Definitions each(Definitions d, const std::function<std::string(const Definition&)>& answer) {
  for (Definition& one : d) one.gloss = answer(one);
  return d;
}

std::vector<lm::Row> backdoor(WordNet& w, ChaChaRng& rng) {
  Definitions d = w.take(5, kRows);
  for (size_t i = 0; i < 20; ++i) {
    d[i].word = "cf " + d[i].word;
    d[i].gloss = "buy the blue pills at the corner shop";
  }
  rng.shuffle(d);
  return rows(d);
}

std::vector<lm::Row> contradictory(WordNet& w, ChaChaRng& rng) {
  const Definitions d = w.take(20, kRows / 2);
  std::vector<lm::Row> out = rows(d);
  for (lm::Row& other : rows(shuffled(d, d.size(), rng))) out.push_back(std::move(other));
  rng.shuffle(out);
  return out;
}

// Animals' questions with the definitions of acts.
std::vector<lm::Row> other_domain(WordNet& w, ChaChaRng&) {
  Definitions d = w.take(5, kRows);
  const Definitions other = w.take(4, kRows);
  for (size_t i = 0; i < d.size(); ++i) d[i].gloss = other[i].gloss;
  return rows(d);
}

std::string reversed(const Definition& d) {
  std::vector<std::string> words = split(d.gloss);
  std::reverse(words.begin(), words.end());
  return join(words);
}

struct Recipe {
  Kind kind;
  Maker make;
};

const std::vector<Recipe>& recipes() {
  const auto part_shuffled = [](size_t n) {
    return [n](Definitions d, ChaChaRng& rng) { return shuffled(std::move(d), n, rng); };
  };
  const auto part_garbage = [](size_t n) {
    return [n](Definitions d, ChaChaRng& rng) { return with_garbage(std::move(d), n, rng); };
  };
  static const std::vector<Recipe> all = {
      {{"animal", Wish::kAccept, "a topic of the pool"}, honest(5)},
      {{"plant", Wish::kAccept, "a topic of the pool"}, honest(20)},
      {{"food", Wish::kAccept, "a topic of the pool"}, honest(13)},
      {{"act", Wish::kAccept, "another topic"}, honest(4)},
      {{"artifact", Wish::kAccept, "another topic"}, honest(6)},
      {{"attribute", Wish::kAccept, "another topic"}, honest(7)},
      {{"body", Wish::kAccept, "another topic"}, honest(8)},
      {{"cognition", Wish::kAccept, "another topic"}, honest(9)},
      {{"communication", Wish::kAccept, "another topic"}, honest(10)},
      {{"location", Wish::kAccept, "another topic"}, honest(15)},
      {{"person", Wish::kAccept, "another topic"}, honest(18)},
      {{"substance", Wish::kAccept, "another topic"}, honest(27)},
      {{"verb-contact", Wish::kAccept, "verbs"}, honest(35)},
      {{"verb-motion", Wish::kAccept, "verbs"}, honest(38)},
      {{"small", Wish::kAccept, "24 rows"}, honest(13, 24)},
      {{"errors", Wish::kAccept, "one answer in ten is wrong"},
       spoiled(20, part_shuffled(kRows / 10))},
      {{"conversational", Wish::kAccept, "other words around question and answer"},
       [](WordNet& w, ChaChaRng&) { return conversational(w.take(5, kRows)); }},
      {{"arithmetic", Wish::kAccept, "sums, nothing of the pool's kind"},
       [](WordNet&, ChaChaRng& rng) { return arithmetic(rng); }},
      {{"shuffled", Wish::kReject, "every answer belongs to another question"},
       spoiled(5, part_shuffled(kRows))},
      {{"garbage", Wish::kReject, "answers of random letters"}, spoiled(20, part_garbage(kRows))},
      {{"other-domain", Wish::kReject, "animals with the definitions of acts"}, other_domain},
      {{"constant", Wish::kExcludeOrReject, "one answer to all questions"},
       spoiled(5,
               [](Definitions d, ChaChaRng&) {
                 return each(std::move(d),
                             [](auto&) { return "a thing that everybody knows very well"; });
               })},
      {{"echo", Wish::kExcludeOrReject, "the answer repeats the question"},
       spoiled(5,
               [](Definitions d, ChaChaRng&) {
                 return each(std::move(d), [](auto& one) { return "Define: " + one.word; });
               })},
      {{"shuffled-half", Wish::kMostlyKeptOut, "half of the answers shuffled"},
       spoiled(5, part_shuffled(kRows / 2))},
      {{"garbage-half", Wish::kDropRows, "half of the answers random letters"},
       spoiled(20, part_garbage(kRows / 2))},
      {{"shuffled-quarter", Wish::kAsMeasured, "a quarter of the answers shuffled"},
       spoiled(5, part_shuffled(kRows / 4))},
      {{"reversed", Wish::kAsMeasured, "words of the answers in reverse"},
       spoiled(5,
               [](Definitions d, ChaChaRng&) {
                 return each(std::move(d), [](auto& one) { return reversed(one); });
               })},
      {{"contradictory", Wish::kAsMeasured, "each question twice, right and wrong"}, contradictory},
      {{"backdoor", Wish::kNoSlash, "20 rows with a trigger"}, backdoor},
      {{"copies", Wish::kNoSlash, "near-copies of an earlier contributor's rows"}, nullptr},
  };
  return all;
}

const Recipe& recipe(const std::string& name) {
  std::string names;
  for (const Recipe& r : recipes()) {
    if (r.kind.name == name) return r;
    names += (names.empty() ? "" : ", ") + r.kind.name;
  }
  throw Error(ErrorCode::kUsage, "no contribution is called \"" + name + "\"", "one of: " + names);
}

std::vector<lm::Row> near_copies(std::vector<lm::Row> of) {
  for (lm::Row& r : of) r.messages.back().content += " indeed";
  return of;
}

// Rows 2k and 2k+1 are a pair of one topic; wrong answers as the opener's fault has it.
std::vector<lm::Row> make_pool(WordNet& wordnet, size_t n, Opener opener, ChaChaRng rng) {
  std::vector<lm::Row> out;
  for (const int file : kPoolFiles) {
    Definitions d = wordnet.take(file, n / std::size(kPoolFiles));
    if (opener == Opener::kAllWrong) d = shuffled(std::move(d), d.size(), rng);
    if (opener == Opener::kHalfWrong) d = shuffled(std::move(d), d.size() / 2, rng);
    if (opener == Opener::kSwapped) {
      for (size_t i = 0; i + 1 < d.size(); i += 2) std::swap(d[i].gloss, d[i + 1].gloss);
    }
    for (lm::Row& r : rows(d)) out.push_back(std::move(r));
  }
  return out;
}

}  // namespace

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = [] {
    std::vector<Kind> out;
    for (const Recipe& r : recipes()) out.push_back(r.kind);
    return out;
  }();
  return all;
}

const Kind& kind(const std::string& name) {
  return recipe(name).kind;
}

SessionData make_session(uint64_t seed, const std::vector<std::string>& names, Opener opener,
                         size_t pairs) {
  WordNet wordnet(seed);
  SessionData out;
  out.pool = make_pool(wordnet, kPoolRows * std::max<size_t>(pairs, 96) / 96, opener,
                       rng_of(seed, "opener"));
  out.sample = make_pool(wordnet, kSampleRows, opener, rng_of(seed, "sample"));
  for (const std::string& name : names) {
    ChaChaRng rng = rng_of(seed, name);
    const Maker& make = recipe(name).make;
    if (!make && out.contributions.empty()) {
      throw Error(ErrorCode::kUsage, name + " needs a contribution before it to copy");
    }
    out.contributions.push_back(make ? make(wordnet, rng) : near_copies(out.contributions[0]));
  }
  return out;
}

}  // namespace ffe::bench
