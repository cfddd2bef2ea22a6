// Row screens for the joint training, and the screen for trigger backdoors. They drop or exclude;
// they never slash.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "gate/duplicates.hpp"
#include "lm/rows.hpp"

namespace ffe::gate {

enum class RowFlag : uint8_t { kKeep, kEmpty, kEcho, kRepeated };

// Unlike questions that share one answer: from here on the rows are dropped …
inline constexpr size_t kRepeatedRows = 4;
// … and from here on, if also above 1 % of the rows, a backdoor is suspected.
inline constexpr size_t kBackdoorRows = 8;
// A row is unlikely if its mean loss lies above the upper fence of the pool's answers (Tukey,
// "Exploratory Data Analysis"): the third quartile and 1.5 times the distance of the quartiles, at
// least so many nats. The pool's worst answer alone would let one odd row open the door.
inline constexpr double kLeastFence = 1.5;

struct TextScreen {
  std::vector<RowFlag> flags;  // one per row
  size_t largest_cluster = 0;  // unlike questions under one answer that the pool does not share
};

// What the pool itself does is no sign of anything: answers that it gives more than once (labels,
// "yes"), and echoes where more than a twentieth of its rows are some.
struct PoolHabits {
  std::unordered_set<std::string> common_answers;
  bool echoes = false;
};
PoolHabits habits_of(const std::vector<RowText>& pool);

TextScreen screen_texts(const std::vector<RowText>& rows, const PoolHabits& habits);

// The loss above which a row is dropped, in nats. `pool_losses` must not be empty.
double unlikely_threshold(std::vector<double> pool_losses);

}  // namespace ffe::gate
