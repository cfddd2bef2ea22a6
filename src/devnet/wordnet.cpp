#include "devnet/wordnet.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "base/json.hpp"

namespace ffe::devnet {
namespace {

size_t count_words(const std::string& text) {
  std::istringstream in(text);
  std::string word;
  size_t n = 0;
  while (in >> word) ++n;
  return n;
}

// The gloss up to its first example ("; \"…") without trailing space.
std::string clean_gloss(std::string gloss) {
  gloss = gloss.substr(0, gloss.find("; \""));
  size_t end = gloss.find_last_not_of(" ;\r\n");
  return gloss.substr(0, end == std::string::npos ? 0 : end + 1);
}

}  // namespace

std::vector<Definition> read_wordnet(Topic topic, size_t min_words, size_t max_words,
                                     const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) {
    throw Error(ErrorCode::kIo, "cannot open " + file.string(),
                "install WordNet: apt-get install wordnet-base");
  }
  std::vector<Definition> out;
  std::set<std::string> seen;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("  ")) continue;  // the licence at the head of the file
    std::istringstream fields(line);
    std::string offset, type, count, word;
    int lex_file = -1;
    fields >> offset >> lex_file >> type >> count >> word;
    size_t bar = line.find(" | ");
    if (!fields || bar == std::string::npos) {
      throw Error(ErrorCode::kBadInput,
                  file.string() + ":" + std::to_string(number) + ": not a WordNet data line");
    }
    if (lex_file != static_cast<int>(topic)) continue;
    std::replace(word.begin(), word.end(), '_', ' ');
    std::string gloss = clean_gloss(line.substr(bar + 3));
    size_t words = count_words(gloss);
    if (words < min_words || words > max_words) continue;
    if (!seen.insert(word).second || !seen.insert("\n" + gloss).second) continue;
    out.push_back({word, gloss});
  }
  return out;
}

std::string jsonl_row(const Definition& d) {
  nlohmann::ordered_json row;
  row["prompt"] = "Define: " + d.word;
  row["completion"] = d.gloss;
  return row.dump() + "\n";
}

}  // namespace ffe::devnet
