#include "gate/engine_learner.hpp"

#include <algorithm>
#include <unordered_map>

#include "lm/engine.hpp"
#include "lm/trainer.hpp"

namespace ffe::gate {
namespace {

class EngineLearner : public Learner {
 public:
  EngineLearner(const lm::Engine& engine, const lm::Tokenizer& tokenizer,
                const lm::ChatTemplate* chat, lm::ExampleOptions options)
      : engine_(engine), tokenizer_(tokenizer), chat_(chat), options_(options) {}

  bool fits(const lm::Row& question, const lm::Row& answer) override {
    try {
      return lm::with_answer(question, answer, tokenizer_, chat_, options_).target_count() != 0;
    } catch (const Error& e) {
      // An order of turns that the template cannot express, or chat rows without a template.
      if (e.code() == ErrorCode::kBadInput || e.code() == ErrorCode::kUnsupported) return false;
      throw;
    }
  }

  void begin(size_t arms, const MiniRecipe& recipe, crypto::ChaChaRng& rng) override {
    H256 seed;
    for (size_t i = 0; i < seed.size(); i += 8) put_le64(seed.data() + i, rng.next_u64());
    lm::LoraConfig lora;
    lora.rank = recipe.rank;
    lora.alpha = recipe.alpha;
    const lm::LoraAdapter fresh = lm::make_adapter(engine_.config(), lora, seed);
    lm::OptimizerConfig optimizer;
    optimizer.learning_rate = recipe.learning_rate;
    optimizer.clip = recipe.clip;
    optimizer.warmup_steps = recipe.warmup_steps;
    optimizer.total_steps = recipe.steps;
    trainer_ = std::make_unique<lm::MultiTrainer>(engine_);
    for (size_t i = 0; i < arms; ++i) trainer_->add(fresh, optimizer);
    adapters_.clear();
    examples_.clear();
  }

  void step(std::span<const TrainItem> items) override {
    std::vector<lm::TrainItem> batch;
    batch.reserve(items.size());
    for (const TrainItem& item : items) {
      batch.push_back({static_cast<uint32_t>(item.arm), &example_of(*item.row)});
    }
    trainer_->step(batch);
    adapters_.clear();
  }

  std::vector<double> losses(std::span<const ScoreItem> items, const Progress& progress) override {
    std::vector<double> out;
    out.reserve(items.size());
    // Chunks bound the memory that tokenised rows take, whatever the number of arms.
    for (size_t begin = 0; begin < items.size(); begin += kChunk) {
      const auto chunk = items.subspan(begin, std::min(kChunk, items.size() - begin));
      score(chunk, out);
      report(progress, out.size(), items.size());
    }
    return out;
  }

 private:
  static constexpr size_t kChunk = 2048;

  // Rows come back in the second epoch and in every arm.
  const lm::Example& example_of(const lm::Row& row) {
    auto [it, fresh] = examples_.try_emplace(&row);
    if (fresh) it->second = lm::to_example(row, tokenizer_, chat_, options_);
    return it->second;
  }

  const lm::LoraAdapter* adapter_of(int arm) {
    if (arm == kBaseModel) return nullptr;
    auto [it, fresh] = adapters_.try_emplace(arm);
    if (fresh) it->second = trainer_->adapter(static_cast<uint32_t>(arm));
    return &it->second;
  }

  void score(std::span<const ScoreItem> items, std::vector<double>& out) {
    std::vector<lm::Example> examples;
    examples.reserve(items.size());
    std::vector<lm::EvalItem> batch;
    for (const ScoreItem& item : items) {
      const bool same_question =
          batch.size() > 0 && item.question == last_.question && item.answer == last_.answer;
      if (!same_question) {
        examples.push_back(
            lm::with_answer(*item.question, *item.answer, tokenizer_, chat_, options_));
      }
      last_ = item;
      batch.push_back({adapter_of(item.arm), &examples.back()});
    }
    for (float loss : engine_.row_losses(batch)) out.push_back(loss);
  }

  const lm::Engine& engine_;
  const lm::Tokenizer& tokenizer_;
  const lm::ChatTemplate* chat_;
  lm::ExampleOptions options_;
  std::unique_ptr<lm::MultiTrainer> trainer_;
  std::unordered_map<int, lm::LoraAdapter> adapters_;  // as trained so far
  std::unordered_map<const lm::Row*, lm::Example> examples_;
  ScoreItem last_;
};

}  // namespace

std::unique_ptr<Learner> make_learner(const lm::Engine& engine, const lm::Tokenizer& tokenizer,
                                      const lm::ChatTemplate* chat, lm::ExampleOptions options) {
  return std::make_unique<EngineLearner>(engine, tokenizer, chat, options);
}

}  // namespace ffe::gate
