// Who holds what in the demonstration, as JSONL files that a person can read.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "devnet/wordnet.hpp"

namespace ffe::devnet {

struct PartyData {
  std::string name;   // alice, bob, carol, mallory
  std::string about;  // "definitions of animals"
  std::filesystem::path file;
  std::vector<Definition> rows;
};

struct DemoData {
  std::vector<PartyData> parties;
  std::filesystem::path pool;    // the opener's evaluation rows; nobody else has any of them
  std::filesystem::path sample;  // public rows of the same kind
  std::vector<Definition> pool_rows;
};

struct DemoDataOptions {
  size_t rows_per_party = 96;
  size_t pool_rows = 264;  // rows 2k and 2k+1 are a pair, of one topic
  size_t sample_rows = 24;
  uint64_t seed = 1;
};

// Draws words out of WordNet and writes the files into `folder`.
DemoData make_demo_data(const std::filesystem::path& folder, const DemoDataOptions& options);

}  // namespace ffe::devnet
