// What `ffe train` says about a finished training: report.json and the model card
// (docs/spec/trainer.md).
#pragma once

#include <string>

#include "base/json.hpp"
#include "lm/fine_tune.hpp"

namespace ffe::cli {

struct TrainTimes {
  double seconds = 0;   // of this run, from the first step
  uint64_t tokens = 0;  // trained on in this run
};

// `job` is the identity in the checkpoint, with the counts of `data` beside it.
Json train_report(const Json& job, const Json& data, const lm::Engine& engine,
                  const lm::FineTune& tuning, const TrainTimes& times);

// README.md of the adapter, from the report: nothing in it depends on the machine's speed.
std::string model_card(const Json& report);

}  // namespace ffe::cli
