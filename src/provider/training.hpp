// The provider's trainer: our engine with the settings that 0G's provider trains with.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "compute/dataset.hpp"
#include "compute/training_params.hpp"
#include "lm/engine.hpp"
#include "lm/tokenizer.hpp"

namespace ffe::provider {

class Trainer {
 public:
  // The model is read when it is first trained.
  Trainer(const std::filesystem::path& model, int threads);

  size_t tokens(std::string_view text) const;
  // LoRA of rank 8, alpha 32, dropout 0.1 on all seven projections, AdamW, 10 warm-up steps then
  // cosine, rows of at most 512 tokens, loss over the whole row, four batches a step. Unlike 0G's
  // trainer it does not train on padding. Writes a PEFT folder. `step` gets words for the log and
  // may throw.
  void train(const std::vector<compute::TrainingRow>& rows, const compute::TrainingParams& params,
             const std::filesystem::path& folder,
             const std::function<void(const std::string&)>& step) const;

 private:
  lm::ModelFile model_;
  lm::Tokenizer tokenizer_;
  int threads_;
};

}  // namespace ffe::provider
