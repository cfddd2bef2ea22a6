// What was measured of one contribution, one JSON line each: a run that was interrupted goes on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ffe::bench {

// Micro-nats in ascending order, as the report has them.
struct Values {
  std::vector<int64_t> harm, lost;

  bool operator==(const Values&) const = default;
};

struct Result {
  uint64_t session = 0;
  std::string kind;    // of the contribution
  std::string opener;  // "honest", "all-wrong", "half-wrong", "swapped"
  unsigned statistic = 2;
  std::string numeric;
  std::string outcome;  // of the session: "fit", "unfit", "too_small"
  std::string verdict;  // "accept", "exclude", "reject"; as the report has it
  std::string reason;
  double harm = 0, harm_sd = 0;  // z¹ over the pairs of the first seed, nats
  double lost = 0, lost_sd = 0;  // z²
  double log_evidence = 0;       // ln of the smallest evidence
  uint64_t rows = 0, kept = 0;   // kept: by the row screens
  uint64_t unlikely = 0;         // dropped as far less likely than the pool's answers
  uint32_t sealed = 4;           // contributors of the session
  std::vector<Values> runs;      // one seed, three for suspects: what other tolerances would say

  bool operator==(const Result&) const = default;
};

// An absent file is an empty one. Throws Error{kBadInput} naming the line.
std::vector<Result> read_results(const std::filesystem::path& file);
// Appends whole lines and syncs.
void append_results(const std::filesystem::path& file, const std::vector<Result>& results);

}  // namespace ffe::bench
