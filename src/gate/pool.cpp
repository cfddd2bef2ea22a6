#include "gate/pool.hpp"

#include <string>

namespace ffe::gate {
namespace {

std::vector<Fingerprint> prints_of(const std::vector<lm::Row>& rows) {
  std::vector<RowText> texts;
  texts.reserve(rows.size());
  for (const lm::Row& row : rows) texts.push_back(row_text(row));
  return fingerprints(texts);
}

}  // namespace

Pool::Pool(std::vector<lm::Row> rows)
    : rows_(std::move(rows)), prints_(prints_of(rows_)), dropped_(rows_.size(), true) {
  const std::vector<size_t> distinct = distinct_rows(prints_);
  for (size_t row : distinct) dropped_[row] = false;
  duplicates_ = rows_.size() - distinct.size();
}

std::vector<Pair> Pool::pairs() const {
  std::vector<Pair> out;
  for (size_t i = 0; i + 1 < rows_.size(); i += 2) {
    if (!dropped_[i] && !dropped_[i + 1]) out.push_back({i, i + 1});
  }
  return out;
}

Draw draw_pairs(std::vector<Pair> pairs, size_t calibration_rows, size_t eval_pairs,
                crypto::ChaChaRng& rng) {
  const size_t calibration = calibration_rows / 2;
  if (pairs.size() < calibration + eval_pairs) {
    throw Error(ErrorCode::kGate,
                "the evaluation pool has " + std::to_string(pairs.size()) +
                    " usable pairs, the gate needs " + std::to_string(calibration + eval_pairs),
                "the opener must provide a larger pool of distinct rows");
  }
  rng.shuffle(pairs);
  const auto cut = pairs.begin() + static_cast<std::ptrdiff_t>(calibration);
  return {{pairs.begin(), cut}, {cut, cut + static_cast<std::ptrdiff_t>(eval_pairs)}};
}

}  // namespace ffe::gate
