// The evaluation pool: pairs of rows, cleaned, then drawn by the session's seed.
#pragma once

#include <cstdint>
#include <vector>

#include "crypto/random.hpp"
#include "gate/duplicates.hpp"
#include "lm/rows.hpp"

namespace ffe::gate {

// Rows 2k and 2k+1 are pair k; a last row without partner is no pair.
struct Pair {
  size_t a = 0;  // indices into the pool's rows
  size_t b = 0;

  bool operator==(const Pair&) const = default;
};

class Pool {
 public:
  explicit Pool(std::vector<lm::Row> rows);

  const std::vector<lm::Row>& rows() const { return rows_; }
  const std::vector<Fingerprint>& fingerprints() const { return prints_; }
  // Rows dropped as near-copies of an earlier row of the pool.
  size_t duplicates() const { return duplicates_; }

  bool dropped(size_t row) const { return dropped_[row]; }
  void drop(size_t row) { dropped_[row] = true; }
  std::vector<Pair> pairs() const;  // both rows left, in order

 private:
  std::vector<lm::Row> rows_;
  std::vector<Fingerprint> prints_;
  std::vector<bool> dropped_;
  size_t duplicates_ = 0;
};

struct Draw {
  std::vector<Pair> calibration;
  std::vector<Pair> evaluation;
};

// Pairs without replacement: a shuffle of `pairs` by `rng`, the first for calibration. Throws
// Error{kGate} with the numbers if there are too few.
Draw draw_pairs(std::vector<Pair> pairs, size_t calibration_rows, size_t eval_pairs,
                crypto::ChaChaRng& rng);

}  // namespace ffe::gate
