// Which model and adapter a command works with, and how it computes.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/terminal.hpp"
#include "lm/chat_template.hpp"
#include "lm/dataset.hpp"
#include "lm/engine.hpp"
#include "lm/tokenizer.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {

struct ModelOptions {
  std::string model;  // path or cached name; empty: the default model
  std::string numeric = "auto";
  int threads = 0;
  std::string chat_template;
  std::string system_prompt = "model";  // or "none", as in a session's recipe
  size_t max_tokens = 0;                // of a row; 0: 2048, or what the model can
  bool generates = false;               // the command trains nothing: `numeric` may be "quantised"
};

void add_model_options(CLI::App& command, ModelOptions& options);

// A model opened for a command; weights are read by engine().
class LoadedModel {
 public:
  // Throws Error{kUsage} for an unknown model, numeric path or chat template.
  explicit LoadedModel(const ModelOptions& options);
  LoadedModel(const LoadedModel&) = delete;  // the chat template refers to the tokenizer
  LoadedModel& operator=(const LoadedModel&) = delete;

  const lm::ModelFile& file() const { return file_; }
  const lm::ModelConfig& config() const { return file_.config(); }
  const lm::Tokenizer& tokenizer() const { return tokenizer_; }
  lm::NumericPath numeric() const { return numeric_; }
  bool has_chat() const { return chat_.has_value(); }
  // Throws Error{kUnsupported} that names --chat-template if there is none.
  const lm::ChatTemplate& chat() const;
  std::string chat_name() const {
    return chat_ ? std::string(lm::chat_style_name(chat_->style())) : "";
  }
  lm::ExampleOptions example_options() const;

  lm::Dataset dataset(const std::filesystem::path& path) const;
  lm::LoraAdapter adapter(const std::filesystem::path& folder) const;
  // Reads the weights the first time.
  const lm::Engine& engine(Terminal& terminal, size_t train_tokens = 0);

 private:
  ModelOptions options_;
  lm::ModelFile file_;
  lm::NumericPath numeric_;
  lm::Tokenizer tokenizer_;
  std::optional<lm::ChatTemplate> chat_;
  std::optional<Error> no_chat_;
  std::unique_ptr<lm::Engine> engine_;
};

// The stream that a command's --seed stands for. `label` keeps its uses apart.
crypto::ChaChaRng seeded_rng(uint64_t seed, std::string_view label);

}  // namespace ffe::cli
