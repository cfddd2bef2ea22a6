// What `ffe train` can be told.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/model_options.hpp"
#include "lm/fine_tune.hpp"

namespace ffe::cli {

struct TrainOptions {
  ModelOptions model;
  std::filesystem::path data, held_out, out;
  double split = 0;
  uint32_t rank = 8;
  double alpha = 0;  // 0: twice the rank
  double dropout = 0;
  std::string targets = "all";
  double learning_rate = 1e-3;
  std::string schedule = "cosine";
  std::string warmup = "3%";
  double weight_decay = 0;
  double clip = 1;
  uint32_t epochs = 3;
  size_t batch_tokens = 1024;
  size_t micro_tokens = 0;
  uint64_t seed = 1;
  uint64_t evaluate_every = 0;
  double checkpoint_seconds = 60;
  uint64_t checkpoint_steps = 0;
  std::string base_name;
  bool resume = false, force = false, no_gguf = false;
};

void add_train_options(CLI::App& command, TrainOptions& options);

// Throws Error(kUsage) where an option's text means nothing.
lm::FineTuneRecipe recipe_of(const TrainOptions& options);

}  // namespace ffe::cli
