#include "aggregator/model.hpp"

#include "base/error.hpp"

namespace ffe::aggregator {

BaseModel::BaseModel(const std::filesystem::path& path, std::string name, int threads)
    : file_(lm::ModelFile::open(path)),
      manifest_(session::manifest_of(path, std::move(name))),
      manifest_text_(session::to_text(manifest_)),
      tokenizer_(lm::Tokenizer::from(file_)),
      chat_(lm::ChatTemplate::from(file_, tokenizer_)),
      threads_(threads) {}

lm::Engine& BaseModel::engine(lm::NumericPath path) {
  if (!engine_ || engine_->numeric() != path) {
    engine_.reset();  // one set of weights in memory, not two
    lm::EngineOptions options;
    options.numeric = path;
    options.threads = threads_;
    engine_ = std::make_unique<lm::Engine>(file_, options);
  }
  return *engine_;
}

void BaseModel::forget_rows() {
  engine_.reset();
  tokenizer_.forget_words();
}

void BaseModel::check_recipe(const session::Recipe& recipe) const {
  lm::NumericPath path = lm::numeric_from_name(recipe.numeric_path);
  if (!lm::numeric_supported(path)) {
    std::string names;
    for (lm::NumericPath p : lm::supported_numeric_paths()) {
      names += (names.empty() ? "" : ", ") + std::string(lm::numeric_name(p));
    }
    throw Error(ErrorCode::kBadInput,
                "recipe: this machine cannot run numericPath " + recipe.numeric_path,
                "it runs " + names);
  }
}

lm::ExampleOptions BaseModel::example_options(const session::Recipe& recipe) const {
  lm::ExampleOptions options;
  options.max_tokens = recipe.sequence_length;
  options.default_system = recipe.system_prompt == "model";
  return options;
}

}  // namespace ffe::aggregator
