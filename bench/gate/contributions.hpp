// Contributions of known nature out of WordNet: honest ones of many topics and styles, and attacks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lm/rows.hpp"

namespace ffe::bench {

// What a contribution of this kind should end as.
enum class Wish {
  kAccept,           // honest
  kReject,           // proven harm
  kExcludeOrReject,  // harm that the screens or the statistic must keep out, in 99 %
  kMostlyKeptOut,    // the same in 95 %
  kDropRows,         // half of its rows are garbage, which the row screen must drop
  kNoSlash,          // must never cost the stake; otherwise as measured
  kAsMeasured,       // below what the gate claims to see
};

struct Kind {
  std::string name;
  Wish wish;
  std::string about;
};

// In the order in which the tables show them.
const std::vector<Kind>& kinds();
const Kind& kind(const std::string& name);  // throws Error{kUsage} listing the names

enum class Opener { kHonest, kAllWrong, kHalfWrong, kSwapped };

struct SessionData {
  std::vector<lm::Row> pool;
  std::vector<lm::Row> sample;
  std::vector<std::vector<lm::Row>> contributions;  // one per name
};

// With a pool for so many evaluation pairs. Equal arguments give equal rows. Within one session no
// two kinds share a word, unless a kind is about copying: "copies" takes the rows of the first
// contribution.
SessionData make_session(uint64_t seed, const std::vector<std::string>& names, Opener opener,
                         size_t pairs);

}  // namespace ffe::bench
