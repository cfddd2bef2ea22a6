// What an interrupted fine-tuning needs to go on, as a file (docs/spec/checkpoint.md).
#pragma once

#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "lm/fine_tune.hpp"

namespace ffe::lm {

struct FineTuneState {
  Json identity;
  std::vector<StepResult> history;
  std::vector<Evaluation> evaluations;
  Bytes trainer;  // MultiTrainer::checkpoint()
};

Bytes write_fine_tune_checkpoint(const FineTuneState& state);
// Throws Error{kBadInput} naming the member, Error{kCorrupt} for a wrong checksum.
FineTuneState read_fine_tune_checkpoint(ByteView bytes);

}  // namespace ffe::lm
