// A learner with known effects, and rows that it understands: what the gate does with real models,
// in milliseconds. A row's nature stands in its system turn, which no text comparison looks at.
#pragma once

#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "gate/gate.hpp"

namespace ffe::gate::sim {

// Effects on an arm that sees nothing but such rows, in nats.
struct Nature {
  double harm = 0;      // on the matched loss
  double lost = 0;      // of the relevance
  double unlikely = 0;  // added to the row's own loss
};

inline lm::Row row(const std::string& question, const std::string& answer, Nature nature = {}) {
  lm::Row out;
  const Json tag = {{"h", nature.harm}, {"l", nature.lost}, {"u", nature.unlikely}};
  out.messages = {{"system", tag.dump()}, {"user", question}, {"assistant", answer}};
  return out;
}

inline Nature nature_of(const lm::Row& row) {
  const Json tag = Json::parse(row.messages[0].content);
  return {tag["h"].get<double>(), tag["l"].get<double>(), tag["u"].get<double>()};
}

// Words that no two calls share.
inline std::string words(const std::string& stem, size_t i, size_t count) {
  std::string out;
  for (size_t w = 0; w < count; ++w) {
    out += (w == 0 ? "" : " ") + stem + std::to_string(i) + "x" + std::to_string(w);
  }
  return out;
}

struct World {
  double base_loss = 5.0;
  double spread = 0.8;           // of the rows' losses
  double relevance = 0.6;        // M - L of the base
  double calibration = 1.3;      // what calibration gains
  double training_noise = 0.03;  // of a whole arm, per seed
  double pair_noise = 0.10;      // of a pair under an arm; every tenth thrice that
};

class SimLearner : public Learner {
 public:
  explicit SimLearner(uint64_t seed, World world = {}) : seed_(seed), world_(world) {}

  bool fits(const lm::Row& question, const lm::Row& answer) override {
    return !question.messages[1].content.empty() && !answer.messages[2].content.empty();
  }

  void begin(size_t arms, const MiniRecipe& recipe, crypto::ChaChaRng& rng) override {
    EXPECT_GT(recipe.steps, 0u);
    run_ = rng.next_u64();
    arms_.assign(arms, {});
    steps_ = 0;
  }

  void step(std::span<const TrainItem> items) override {
    ++steps_;
    for (const TrainItem& item : items) {
      Arm& arm = arms_.at(static_cast<size_t>(item.arm));
      arm.rows.push_back(item.row);
      const Nature n = nature_of(*item.row);
      arm.harm += n.harm;
      arm.lost += n.lost;
      arm.own += n.harm != 0 || n.lost != 0;
    }
  }

  std::vector<double> losses(std::span<const ScoreItem> items, const Progress&) override {
    std::vector<double> out;
    for (const ScoreItem& item : items) out.push_back(loss(item));
    return out;
  }

  size_t steps() const { return steps_; }
  const std::vector<const lm::Row*>& rows_of(size_t arm) const { return arms_[arm].rows; }

 private:
  struct Arm {
    std::vector<const lm::Row*> rows;
    double harm = 0;
    double lost = 0;
    size_t own = 0;
  };

  // A standard normal number that depends on the text alone.
  double noise(const std::string& key) const {
    const size_t h = std::hash<std::string>{}(std::to_string(seed_) + key);
    const double u = (static_cast<double>(h >> 12) + 0.5) * 0x1p-52;
    const double v = static_cast<double>(std::hash<std::string>{}(key + "'") >> 12) * 0x1p-52;
    return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307 * v);
  }

  double loss(const ScoreItem& item) const {
    const std::string& q = item.question->messages[1].content;
    const std::string& a = item.answer->messages[2].content;
    const bool swapped = item.question != item.answer;
    double out = world_.base_loss + world_.spread * noise(a) + nature_of(*item.answer).unlikely;
    if (swapped) out += world_.relevance + 0.3 * noise(q + a);
    if (item.arm == kBaseModel) return out;
    const Arm& arm = arms_.at(static_cast<size_t>(item.arm));
    out -= world_.calibration;
    // The same draw for the same rows, whatever the arm's number or company.
    std::string key = std::to_string(run_);
    if (arm.rows.size() != steps_ * 8) {
      const double share = static_cast<double>(arm.rows.size() - steps_ * 8);
      out += arm.harm / share;
      if (swapped) out -= arm.lost / share;
      for (const lm::Row* row : arm.rows) key += row->messages[1].content;
      out += world_.training_noise * noise(key);
      const double tail = std::abs(noise(q + key)) > 1.645 ? 3 : 1;
      out += world_.pair_noise * tail * noise(q + a + key);
    }
    return out;
  }

  uint64_t seed_;
  World world_;
  uint64_t run_ = 0;
  size_t steps_ = 0;
  std::vector<Arm> arms_;
};

inline std::vector<lm::Row> rows(const std::string& stem, size_t n, Nature nature = {}) {
  std::vector<lm::Row> out;
  for (size_t i = 0; i < n; ++i) {
    out.push_back(row("define " + words(stem + "q", i, 2), words(stem + "a", i, 6), nature));
  }
  return out;
}

inline Contribution contribution(uint8_t who, std::vector<lm::Row> rows) {
  Contribution c;
  c.contributor[19] = who;
  c.blob_root[0] = who;
  c.row_count = rows.size();
  c.rows = std::move(rows);
  return c;
}

inline GateInputs inputs(uint64_t seed = 1) {
  GateInputs in;
  in.policy.statistic = 2;
  in.policy.eval_pairs = 96;
  in.policy.harm_tolerance_micro = 60'000;
  in.policy.relevance_tolerance_micro = 60'000;
  in.policy.min_rows = 16;
  in.max_rows = 1000;
  in.seed.assign(32, static_cast<uint8_t>(seed));
  put_le64(in.seed.data(), seed);
  in.engine = "sim";
  in.numeric_path = "f32";
  in.pool = rows("pool" + std::to_string(seed) + "n", 320);
  in.sample = rows("sample" + std::to_string(seed) + "n", 64);
  return in;
}

}  // namespace ffe::gate::sim
