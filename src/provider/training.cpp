#include "provider/training.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "base/json.hpp"
#include "crypto/keccak.hpp"
#include "lm/fine_tune.hpp"
#include "lm/rows.hpp"

namespace ffe::provider {
namespace {

constexpr size_t kMaxTokens = 512;
constexpr uint32_t kBatchesPerStep = 4;
constexpr const char* kCard = "# Trained by the local network's fine-tuning provider\n";

std::vector<lm::Example> examples_of(const std::vector<compute::TrainingRow>& rows,
                                     const lm::Tokenizer& tokenizer) {
  std::vector<lm::Example> out;
  for (const compute::TrainingRow& row : rows) {
    lm::Row text;
    text.kind = lm::Row::Kind::kText;
    text.text = compute::training_text(row);
    lm::Example example = lm::to_example(text, tokenizer, nullptr, {.max_tokens = kMaxTokens});
    if (example.target_count() != 0) out.push_back(std::move(example));
  }
  return out;
}

lm::FineTuneRecipe recipe_of(const compute::TrainingParams& params,
                             const std::vector<lm::Example>& examples) {
  size_t longest = 1;
  for (const lm::Example& e : examples) longest = std::max(longest, e.tokens.size());
  lm::FineTuneRecipe recipe;
  recipe.lora.rank = 8;
  recipe.lora.alpha = 32;
  recipe.lora.dropout = 0.1;
  recipe.optimizer.learning_rate = params.learning_rate;
  recipe.optimizer.warmup_steps = 10;
  recipe.epochs = params.num_train_epochs;
  recipe.tokens_per_step = longest * params.per_device_train_batch_size * kBatchesPerStep;
  return recipe;
}

}  // namespace

Trainer::Trainer(const std::filesystem::path& model, int threads)
    : model_(lm::ModelFile::open(model)),
      tokenizer_(lm::Tokenizer::from(model_)),
      threads_(threads) {}

size_t Trainer::tokens(std::string_view text) const {
  return tokenizer_.encode(text).size();
}

void Trainer::train(const std::vector<compute::TrainingRow>& rows,
                    const compute::TrainingParams& params, const std::filesystem::path& folder,
                    const std::function<void(const std::string&)>& step) const {
  std::vector<lm::Example> examples = examples_of(rows, tokenizer_);
  if (examples.empty()) throw Error(ErrorCode::kBadInput, "the dataset holds no text to train on");
  lm::Engine engine(model_, {.threads = threads_});
  crypto::ChaChaRng rng(crypto::keccak256("ffe.provider.seed.42").bytes);
  lm::FineTune tuning(engine, recipe_of(params, examples), examples, std::move(rng));
  uint64_t steps = tuning.steps_total();
  if (params.max_steps > 0) steps = std::min<uint64_t>(steps, params.max_steps);
  for (uint64_t i = 0; i < steps; ++i) {
    const lm::StepResult& result = tuning.step();
    step(fmt::format("step {}/{} loss {:.4f}", i + 1, steps, result.loss));
  }
  lm::write_peft_folder(folder, tuning.adapter(), kCard);
}

}  // namespace ffe::provider
