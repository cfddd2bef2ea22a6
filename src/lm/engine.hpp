// The frozen base model on this machine's cores, shared by every adapter.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/progress.hpp"
#include "lm/adapter_file.hpp"
#include "lm/example.hpp"
#include "lm/model_config.hpp"
#include "lm/numeric.hpp"
#include "lm/weights.hpp"

namespace ffe::lm {

struct BaseModel;

struct EngineOptions {
  NumericPath numeric = NumericPath::kF32;
  int threads = 0;  // 0: all cores of this process
  // Tokens computed at once, which bounds memory; 0: chosen from the model's size. A single row may
  // exceed it.
  size_t train_tokens = 0;
  size_t eval_tokens = 0;
  // Compute what rows of one adapter have in common at their beginning only once. Off is for tests.
  bool share_prefixes = true;
};

// The path on which a model generates fastest here: quantised if most of its weights can stay as
// the file holds them, else best_numeric_path().
NumericPath generation_numeric_path(const ModelFile& model);
// The same for "auto"; "quantised", or as numeric_from_name() says.
NumericPath generation_numeric_from_name(std::string_view name, const ModelFile& model);

// An example under an adapter, or under the bare base model (null). Pointers outlive the call only.
struct EvalItem {
  const LoraAdapter* adapter = nullptr;
  const Example* example = nullptr;
};

// Holds the weights laid out for one numeric path. Const members may be called by one thread at a
// time (they use this object's worker threads and arena).
class Engine {
 public:
  // Reads every weight. Throws Error{kUnsupported} if this machine cannot run the path.
  explicit Engine(const ModelFile& model, EngineOptions options = {});
  Engine(Engine&&) noexcept;
  ~Engine();

  const ModelConfig& config() const;
  NumericPath numeric() const;
  int threads() const;
  const EngineOptions& options() const { return options_; }  // with defaults filled in
  std::string_view instruction_set() const;  // "avx2", "avx512", …: what the f32 kernels run on

  // Mean negative log-likelihood in nats over each example's target tokens, in the order of
  // `items`; NaN for an example without targets. All adapters go through the base together. Throws
  // Error{kBadInput} for token ids outside the vocabulary, rows longer than the model's positions,
  // or an adapter whose shapes do not fit the model. `progress` counts tokens and may throw.
  std::vector<float> row_losses(std::span<const EvalItem> items,
                                const Progress& progress = {}) const;

  // Logits at every position: [tokens.size(), vocab], row-major.
  std::vector<float> logits(std::span<const int32_t> tokens, const LoraAdapter* adapter) const;

  // For the trainer and the generator.
  const BaseModel& base() const { return *base_; }

 private:
  std::unique_ptr<BaseModel> base_;
  EngineOptions options_;
};

}  // namespace ffe::lm
