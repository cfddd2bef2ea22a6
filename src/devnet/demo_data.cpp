#include "devnet/demo_data.hpp"

#include <array>

#include "base/file.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;

// Short glosses keep the demonstration short.
constexpr size_t kMinWords = 5;
constexpr size_t kMaxWords = 12;

void write_rows(const fs::path& file, const std::vector<Definition>& rows) {
  std::string text;
  for (const Definition& d : rows) text += jsonl_row(d);
  write_file_atomic(file, as_bytes(text));
}

// Hands out a topic's words in random order. Any two of them make like questions, whose answers the
// gate can still tell apart; neighbours in WordNet would be too alike ("a genus of Bovidae").
class WordSource {
 public:
  WordSource(Topic topic, crypto::ChaChaRng& rng)
      : words_(read_wordnet(topic, kMinWords, kMaxWords)) {
    rng.shuffle(words_);
  }

  std::vector<Definition> take(size_t n) {
    if (words_.size() - taken_ < n) {
      throw Error(ErrorCode::kBadInput, "WordNet has too few words for the demonstration",
                  "ask for fewer rows");
    }
    auto begin = words_.begin() + static_cast<std::ptrdiff_t>(taken_);
    taken_ += n;
    return {begin, begin + static_cast<std::ptrdiff_t>(n)};
  }

 private:
  std::vector<Definition> words_;
  size_t taken_ = 0;
};

// Every answer goes to another question: real words, real glosses, all wrong.
std::vector<Definition> shuffle_answers(std::vector<Definition> rows, crypto::ChaChaRng& rng) {
  std::vector<Definition> out = rows;
  rng.shuffle(rows);
  for (size_t i = 0; i < out.size(); ++i) {
    const Definition& other = rows[i].word == out[i].word ? rows[(i + 1) % rows.size()] : rows[i];
    out[i].gloss = other.gloss;
  }
  return out;
}

std::vector<Definition> mix(std::array<WordSource*, 3> topics, size_t n) {
  std::vector<Definition> out;
  for (size_t t = 0; t < topics.size(); ++t) {
    // Even shares, so that no pair straddles two topics.
    size_t share = (n * (t + 1) / topics.size()) / 2 * 2 - (n * t / topics.size()) / 2 * 2;
    for (Definition& d : topics[t]->take(share)) out.push_back(std::move(d));
  }
  return out;
}

}  // namespace

DemoData make_demo_data(const fs::path& folder, const DemoDataOptions& options) {
  uint8_t seed[8];
  put_le64(seed, options.seed);
  crypto::ChaChaRng rng(crypto::sha256(seed).bytes);
  WordSource animals(Topic::kAnimal, rng), plants(Topic::kPlant, rng), foods(Topic::kFood, rng);

  DemoData out;
  fs::create_directories(folder);
  auto party = [&](std::string name, std::string about, std::vector<Definition> rows) {
    fs::path file = folder / (name + ".jsonl");
    write_rows(file, rows);
    out.parties.push_back({std::move(name), std::move(about), file, std::move(rows)});
  };
  size_t n = options.rows_per_party;
  party("alice", "definitions of animals", animals.take(n));
  party("bob", "definitions of plants", plants.take(n));
  party("carol", "definitions of foods", foods.take(n));
  party("mallory", "animals with shuffled definitions", shuffle_answers(animals.take(n), rng));

  out.pool = folder / "evaluation-pool.jsonl";
  out.sample = folder / "public-sample.jsonl";
  out.pool_rows = mix({&animals, &plants, &foods}, options.pool_rows);
  write_rows(out.pool, out.pool_rows);
  write_rows(out.sample, mix({&animals, &plants, &foods}, options.sample_rows));
  return out;
}

}  // namespace ffe::devnet
