// What a fine-tuning provider makes of a JSONL dataset. The conversion loses things without saying
// so; whoever pays should know them first.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::compute {

inline constexpr size_t kMaxUpload = size_t{100} << 20;  // bytes, for files sent to a provider

// How the file gets to the provider: over 0G Storage, where anyone who knows the root can read it,
// or directly.
enum class DatasetWay { kStorage, kUpload };

// One row as the provider trains it: the three columns, or text.
struct TrainingRow {
  std::string instruction;
  std::string input;
  std::string output;
  std::string text;

  bool operator==(const TrainingRow&) const = default;
};

struct TrainingRows {
  std::vector<TrainingRow> rows;
  // What is in the file and not in the rows.
  size_t lost_system_prompts = 0;
  size_t lost_turns = 0;  // earlier turns of conversations
  size_t lost_texts = 0;  // "text" rows in a file that is sent directly become empty
};

// The kind of all rows is that of the first: "messages" (the last user's and the last assistant's
// turn stay), "instruction" or "text". Blank lines are skipped. Throws Error{kBadInput}
// "<what>:<line>: <why>" for a line that is no JSON object, and if there are no rows.
TrainingRows training_rows(std::string_view jsonl, DatasetWay way, std::string_view what);

// The template that the provider trains on, not the model's chat template.
std::string training_text(const TrainingRow& row);

// What the fee counts: the tokens of every column. `tokens` gives the number in one text.
uint64_t count_tokens(const std::vector<TrainingRow>& rows,
                      const std::function<size_t(std::string_view)>& tokens);

}  // namespace ffe::compute
