// Near-copies of rows: normalised word shingles, MinHash with LSH to find candidates, exact Jaccard
// similarity to decide.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "lm/rows.hpp"

namespace ffe::gate {

// A row as the comparison sees it. Question: all turns but the system's before the last answer;
// for plain text the first half of its words.
struct RowText {
  std::string question;
  std::string answer;
};
RowText row_text(const lm::Row& row);

// Lower case (ASCII), words of letters, digits and bytes above 0x7f, joined by single spaces.
std::string normalise(std::string_view text);

// Sorted, distinct hashes of the pairs of neighbouring words of question and answer; of the single
// words where there is one only.
using Shingles = std::vector<uint64_t>;

struct Fingerprint {
  Shingles shingles;
  uint64_t whole = 0;  // hash of the whole row, for rows without content of their own
};
Fingerprint fingerprint(const RowText& text);
std::vector<Fingerprint> fingerprints(const std::vector<RowText>& rows);
double jaccard(const Shingles& a, const Shingles& b);

inline constexpr double kNearCopy = 0.7;

// Shingles that stand in more than a quarter of a source's rows (of at least 16) are its template,
// not its content.
using ShingleSet = std::unordered_set<uint64_t>;
ShingleSet template_of(const std::vector<Fingerprint>& rows);
// What at least two of the sources share as template: ignored in comparisons between sources.
ShingleSet shared_template(const std::vector<ShingleSet>& templates);
// The row's shingles without `ignored`; the hash of the whole row if none are left.
Shingles content(const Fingerprint& row, const ShingleSet& ignored);

// Rows to keep of one source: those that near-copy no earlier one.
std::vector<size_t> distinct_rows(const std::vector<Fingerprint>& rows);

// Finds near-copies among rows added before. Buckets are bounded, so that hostile rows cannot make
// the search quadratic; beyond that bound copies may be missed, never invented.
class NearCopyIndex {
 public:
  // The first row added that is at least kNearCopy similar.
  std::optional<size_t> find(const Shingles& row) const;
  std::vector<size_t> find_all(const Shingles& row) const;
  size_t add(Shingles row);
  size_t size() const { return rows_.size(); }

 private:
  std::vector<size_t> candidates(const Shingles& row) const;

  std::vector<Shingles> rows_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> buckets_;
};

}  // namespace ffe::gate
