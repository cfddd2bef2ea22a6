#include "lm/engine.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <sched.h>

#include "base/error.hpp"
#include "lm/base_model.hpp"
#include "lm/check_example.hpp"
#include "lm/pass.hpp"

namespace ffe::lm {
namespace {

// The cores that this process may run on.
int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Activations that training keeps for every token.
size_t kept_bytes_per_token(const ModelConfig& c) {
  const size_t floats =
      2 * c.hidden + 2 * c.q_size() + 2 * c.kv_size() + 2 * c.intermediate + 2 * c.heads + 64;
  return floats * sizeof(float) * c.layers;
}

EngineOptions with_defaults(EngineOptions options, const ModelConfig& config) {
  if (options.threads <= 0) options.threads = available_processors();
  constexpr size_t kKeptBytes = size_t{900} << 20;
  if (options.train_tokens == 0) {
    options.train_tokens = std::clamp<size_t>(kKeptBytes / kept_bytes_per_token(config), 128, 1024);
  }
  if (options.eval_tokens == 0) options.eval_tokens = 2048;
  return options;
}

}  // namespace

NumericPath generation_numeric_path(const ModelFile& model) {
  uint64_t all = 0;
  uint64_t quantised = 0;
  for (const std::string& name : model.tensor_names()) {
    const TensorInfo& info = model.tensor_info(name);
    all += info.elements();
    if (can_stay_quantised(info.dtype)) quantised += info.elements();
  }
  return 2 * quantised > all ? NumericPath::kQuantised : best_numeric_path();
}

NumericPath generation_numeric_from_name(std::string_view name, const ModelFile& model) {
  if (name == "auto") return generation_numeric_path(model);
  return name == numeric_name(NumericPath::kQuantised) ? NumericPath::kQuantised
                                                       : numeric_from_name(name);
}

void check_tokens(const ModelConfig& config, std::span<const int32_t> tokens,
                  const std::string& what) {
  if (tokens.empty()) throw Error(ErrorCode::kBadInput, what + ": no tokens");
  if (tokens.size() > config.max_position) {
    throw Error(ErrorCode::kBadInput,
                what + ": " + std::to_string(tokens.size()) + " tokens, but the model has " +
                    std::to_string(config.max_position) + " positions",
                "truncate the row");
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] < 0 || static_cast<uint32_t>(tokens[i]) >= config.vocab) {
      throw Error(ErrorCode::kBadInput, what + ": token " + std::to_string(i) + " is " +
                                            std::to_string(tokens[i]) + ", outside the vocabulary");
    }
  }
}

void check_example(const ModelConfig& config, const Example& example, const std::string& what) {
  check_tokens(config, example.tokens, what);
  if (example.target.size() != example.tokens.size()) {
    throw Error(ErrorCode::kBadInput, what + ": as many target marks as tokens are needed");
  }
  if (example.target[0]) {
    throw Error(ErrorCode::kBadInput, what + ": the first token cannot be a target");
  }
}

Engine::Engine(const ModelFile& model, EngineOptions options)
    : options_(with_defaults(options, model.config())) {
  require_numeric(options_.numeric);
  base_ = std::make_unique<BaseModel>(model, options_.numeric, options_.threads);
}

Engine::Engine(Engine&&) noexcept = default;
Engine::~Engine() = default;

const ModelConfig& Engine::config() const {
  return base_->config;
}
NumericPath Engine::numeric() const {
  return base_->numeric;
}
int Engine::threads() const {
  return base_->threads;
}
std::string_view Engine::instruction_set() const {
  return kernels().name;
}

std::vector<float> Engine::row_losses(std::span<const EvalItem> items,
                                      const Progress& progress) const {
  std::map<const LoraAdapter*, uint32_t> slot_of;
  std::vector<LoraRuntime> runtimes;
  std::vector<const LoraAdapter*> adapters;
  std::vector<PlanItem> plan;
  size_t total = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    check_example(config(), *items[i].example, "row " + std::to_string(i));
    const auto [it, fresh] =
        slot_of.emplace(items[i].adapter, static_cast<uint32_t>(adapters.size()));
    if (fresh) adapters.push_back(items[i].adapter);
    plan.push_back({it->second, items[i].example});
    total += items[i].example->tokens.size();
  }
  runtimes.reserve(adapters.size());
  std::vector<PassSlot> slots(adapters.size());
  for (size_t s = 0; s < adapters.size(); ++s) {
    if (!adapters[s]) continue;
    const LoraLayout layout(config(), *adapters[s]);
    runtimes.emplace_back(layout, flatten(layout, *adapters[s]), false, threads());
    slots[s].runtime = &runtimes.back();
  }
  std::vector<double> sums(items.size());
  std::vector<size_t> counts(items.size());
  const std::vector<Pack> packs = make_packs(plan, options_.eval_tokens, options_.share_prefixes);
  size_t packed = 0;
  for (const Pack& pack : packs) packed += pack.tokens.size();
  size_t done = 0;
  for (const Pack& pack : packs) {
    // In proportion: a shared token stands for all the rows that share it.
    report(progress, total * done / packed, total);
    Pass pass(*base_, pack, slots, false);
    pass.forward();
    const std::vector<double> losses = pass.losses();
    for (size_t t = 0; t < losses.size(); ++t) {
      sums[pack.targets[t].item] += losses[t];
      ++counts[pack.targets[t].item];
    }
    done += pack.tokens.size();
  }
  report(progress, total, total);
  std::vector<float> means(items.size(), std::numeric_limits<float>::quiet_NaN());
  for (size_t i = 0; i < items.size(); ++i) {
    if (counts[i] > 0) means[i] = static_cast<float>(sums[i] / static_cast<double>(counts[i]));
  }
  return means;
}

std::vector<float> Engine::logits(std::span<const int32_t> tokens,
                                  const LoraAdapter* adapter) const {
  check_tokens(config(), tokens, "row");
  const Pack pack = make_whole_row(tokens);
  std::vector<LoraRuntime> runtime;
  PassSlot slot;
  if (adapter) {
    const LoraLayout layout(config(), *adapter);
    runtime.emplace_back(layout, flatten(layout, *adapter), false, threads());
    slot.runtime = &runtime.back();
  }
  Pass pass(*base_, pack, {&slot, 1}, false);
  pass.forward();
  std::vector<float> out(tokens.size() * config().vocab);
  pass.logits([&](size_t first, size_t count, const float* values) {
    std::copy_n(values, count * config().vocab, out.begin() + first * config().vocab);
  });
  return out;
}

}  // namespace ffe::lm
