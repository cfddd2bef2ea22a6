// Rows for the demonstration out of WordNet 3.0 (Debian's wordnet-base): real words, real glosses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ffe::devnet {

struct Definition {
  std::string word;
  std::string gloss;
};

// WordNet's lexicographer files (lexnames(5WN)).
enum class Topic { kAnimal = 5, kFood = 13, kPlant = 20 };

// Every noun of the topic whose gloss has `min_words` to `max_words` words, one word a gloss, in
// the order of the data file; example sentences are cut off. Throws Error{kIo} with the package to
// install when the file is absent, kBadInput that names the line when it is broken.
std::vector<Definition> read_wordnet(
    Topic topic, size_t min_words, size_t max_words,
    const std::filesystem::path& file = "/usr/share/wordnet/data.noun");

// One JSONL row: {"prompt":"Define: <word>","completion":"<gloss>"}.
std::string jsonl_row(const Definition& definition);

}  // namespace ffe::devnet
