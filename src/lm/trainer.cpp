#include "lm/trainer.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "lm/base_model.hpp"
#include "lm/check_example.hpp"
#include "lm/dropout.hpp"
#include "lm/pass.hpp"
#include "lm/trainer_state.hpp"

namespace ffe::lm {

struct MultiTrainer::Impl {
  const Engine& engine;
  std::vector<std::unique_ptr<TrainedAdapter>> adapters;

  // Sums and counts by adapter, and the gradients in its `gradient`.
  struct Sums {
    std::vector<double> loss;
    std::vector<size_t> tokens, targets;
  };
  Sums accumulate(std::span<const TrainItem> items);
  TrainedAdapter& at(uint32_t index) {
    if (index >= adapters.size()) {
      throw Error(ErrorCode::kUsage, "no adapter " + std::to_string(index) + " in the trainer");
    }
    return *adapters[index];
  }
};

namespace {

// The backward pass leaves B's gradient as [rank, rows]; parameters are [rows, rank].
void transpose_b(const LoraLayout& layout, std::vector<float>& gradient) {
  std::vector<float> copy;
  for (const LoraModule& m : layout.modules) {
    if (!m.present) continue;
    const size_t rank = layout.rank;
    copy.assign(gradient.begin() + m.b, gradient.begin() + m.b + rank * m.rows);
    for (size_t n = 0; n < m.rows; ++n) {
      for (size_t r = 0; r < rank; ++r) gradient[m.b + n * rank + r] = copy[r * m.rows + n];
    }
  }
}

}  // namespace

TrainedAdapter::TrainedAdapter(const ModelConfig& model, LoraAdapter from,
                               const OptimizerConfig& config, const H256& seed, int threads)
    : adapter(std::move(from)),
      layout(model, adapter),
      values(flatten(layout, adapter)),
      gradient(layout.parameters),
      runtime(layout, values, true, threads),
      optimizer(config, layout.parameters),
      dropout_seed(seed) {}

MultiTrainer::Impl::Sums MultiTrainer::Impl::accumulate(std::span<const TrainItem> items) {
  const BaseModel& base = engine.base();
  Sums sums{std::vector<double>(adapters.size()), std::vector<size_t>(adapters.size()),
            std::vector<size_t>(adapters.size())};
  std::vector<PlanItem> plan;
  for (size_t i = 0; i < items.size(); ++i) {
    at(items[i].adapter);
    check_example(base.config, *items[i].example, "row " + std::to_string(i));
    plan.push_back({items[i].adapter, items[i].example});
    sums.tokens[items[i].adapter] += items[i].example->tokens.size();
    sums.targets[items[i].adapter] += items[i].example->target_count();
  }
  std::vector<PassSlot> slots(adapters.size());
  for (size_t a = 0; a < adapters.size(); ++a) {
    if (sums.tokens[a] == 0) continue;
    if (sums.targets[a] == 0) {
      throw Error(ErrorCode::kBadInput,
                  "adapter " + std::to_string(a) + ": no row of this step has a target token");
    }
    TrainedAdapter& t = *adapters[a];
    std::fill(t.gradient.begin(), t.gradient.end(), 0.0f);
    slots[a].runtime = &t.runtime;
    slots[a].gradient = t.gradient.data();
    if (t.adapter.dropout > 0) slots[a].dropout = t.dropout_stream();
  }
  const EngineOptions& options = engine.options();
  for (const Pack& pack : make_packs(plan, options.train_tokens, options.share_prefixes)) {
    std::vector<float> weights;
    for (const Target& target : pack.targets) {
      weights.push_back(1.0f / static_cast<float>(sums.targets[items[target.item].adapter]));
    }
    Pass pass(base, pack, slots, true);
    pass.forward();
    const std::vector<double> losses = pass.losses_and_gradients(weights);
    for (size_t t = 0; t < losses.size(); ++t) {
      sums.loss[items[pack.targets[t].item].adapter] += losses[t];
    }
  }
  for (size_t a = 0; a < adapters.size(); ++a) {
    if (sums.tokens[a] == 0) continue;
    sums.loss[a] /= static_cast<double>(sums.targets[a]);
    transpose_b(adapters[a]->layout, adapters[a]->gradient);
  }
  return sums;
}

MultiTrainer::MultiTrainer(const Engine& engine) : impl_(new Impl{engine, {}}) {
  if (engine.numeric() != NumericPath::kQuantised) return;
  throw Error(ErrorCode::kUsage, "the numeric path quantised does not train",
              "load the model on another path");
}
MultiTrainer::MultiTrainer(MultiTrainer&&) noexcept = default;
MultiTrainer& MultiTrainer::operator=(MultiTrainer&&) noexcept = default;
MultiTrainer::~MultiTrainer() = default;

uint32_t MultiTrainer::add(LoraAdapter adapter, const OptimizerConfig& config,
                           const H256& dropout_seed) {
  impl_->adapters.push_back(std::make_unique<TrainedAdapter>(
      impl_->engine.config(), std::move(adapter), config, dropout_seed, impl_->engine.threads()));
  return static_cast<uint32_t>(impl_->adapters.size() - 1);
}

size_t MultiTrainer::size() const {
  return impl_->adapters.size();
}

std::vector<StepResult> MultiTrainer::step(std::span<const TrainItem> items) {
  const Impl::Sums sums = impl_->accumulate(items);
  std::vector<StepResult> results;
  for (uint32_t a = 0; a < impl_->adapters.size(); ++a) {
    if (sums.tokens[a] == 0) continue;
    TrainedAdapter& t = *impl_->adapters[a];
    const uint64_t step = t.optimizer.steps();
    const AdamW::Applied applied = t.optimizer.step(t.values, t.gradient);
    t.runtime.refresh(t.values, impl_->engine.threads());
    results.push_back({a, step, sums.loss[a], applied.gradient_norm, applied.learning_rate,
                       sums.tokens[a], sums.targets[a]});
  }
  return results;
}

MultiTrainer::Gradient MultiTrainer::gradient(uint32_t adapter,
                                              std::span<const Example* const> examples) {
  std::vector<TrainItem> items;
  for (const Example* example : examples) items.push_back({adapter, example});
  TrainedAdapter& t = impl_->at(adapter);
  const Impl::Sums sums = impl_->accumulate(items);
  Gradient result{sums.loss[adapter], t.adapter};
  unflatten(t.layout, t.gradient, result.matrices);
  return result;
}

LoraAdapter MultiTrainer::adapter(uint32_t index) const {
  TrainedAdapter& t = impl_->at(index);
  LoraAdapter result = t.adapter;
  unflatten(t.layout, t.values, result);
  return result;
}

uint64_t MultiTrainer::steps(uint32_t index) const {
  return impl_->at(index).optimizer.steps();
}

Bytes MultiTrainer::checkpoint() const {
  return write_checkpoint(impl_->adapters);
}

MultiTrainer MultiTrainer::restore(const Engine& engine, ByteView checkpoint) {
  MultiTrainer trainer(engine);
  trainer.impl_->adapters = read_checkpoint(engine.config(), checkpoint, engine.threads());
  return trainer;
}

}  // namespace ffe::lm
