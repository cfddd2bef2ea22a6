// The base model that this service trains, loaded once, and the engines on it.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "lm/chat_template.hpp"
#include "lm/engine.hpp"
#include "lm/rows.hpp"
#include "lm/tokenizer.hpp"
#include "lm/weights.hpp"
#include "session/recipe.hpp"

namespace ffe::aggregator {

class BaseModel {
 public:
  // Maps the model, hashes its files for the manifest and reads its tokenizer; weights are read by
  // the first engine.
  BaseModel(const std::filesystem::path& path, std::string name, int threads);

  const std::string& manifest_text() const { return manifest_text_; }
  const session::BaseModelManifest& manifest() const { return manifest_; }
  const lm::ModelFile& file() const { return file_; }
  const lm::Tokenizer& tokenizer() const { return tokenizer_; }
  const lm::ChatTemplate& chat() const { return chat_; }
  const lm::ModelConfig& config() const { return file_.config(); }
  // One engine at a time is kept: sessions of one numeric path share it. Throws
  // Error{kUnsupported} if this machine cannot run the path.
  lm::Engine& engine(lm::NumericPath path);

  // Drops the engine and whatever else has seen rows; what is needed again is made again.
  void forget_rows();

  // Throws Error{kBadInput} naming what of the recipe this service cannot do.
  void check_recipe(const session::Recipe& recipe) const;
  lm::ExampleOptions example_options(const session::Recipe& recipe) const;

 private:
  lm::ModelFile file_;
  session::BaseModelManifest manifest_;
  std::string manifest_text_;
  lm::Tokenizer tokenizer_;
  lm::ChatTemplate chat_;
  int threads_;
  std::unique_ptr<lm::Engine> engine_;
};

}  // namespace ffe::aggregator
