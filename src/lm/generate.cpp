#include "lm/generate.hpp"

#include <algorithm>
#include <optional>

#include "lm/check_example.hpp"
#include "lm/decoder.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kPromptTokens = 512;  // read at once

}  // namespace

struct Generator::Impl {
  Impl(const Engine& engine, const LoraAdapter* adapter)
      : base(engine.base()), cache(base.config, 0), logits(base.config.vocab) {
    if (adapter) runtime.emplace(inference_runtime(base, *adapter));
  }

  // What the cache does not know yet of `tokens` is read; the last token always is.
  std::span<float> next_logits(std::span<const int32_t> tokens) {
    const size_t limit = std::min(known.size(), tokens.size() - 1);
    const auto differs =
        std::mismatch(known.begin(), known.begin() + static_cast<ptrdiff_t>(limit), tokens.begin());
    known.erase(differs.first, known.end());
    cache.truncate(known.size());
    while (known.size() < tokens.size()) {
      const auto part =
          tokens.subspan(known.size()).first(std::min(kPromptTokens, tokens.size() - known.size()));
      const bool last = known.size() + part.size() == tokens.size();
      const DecodeItem item{&cache, runtime ? &*runtime : nullptr, part,
                            last ? logits.data() : nullptr};
      decode(base, {&item, 1});
      known.insert(known.end(), part.begin(), part.end());
    }
    return logits;
  }

  const BaseModel& base;
  std::optional<LoraRuntime> runtime;
  KvCache cache;
  std::vector<int32_t> known;  // what the cache holds
  std::vector<float> logits;
};

Generator::Generator(const Engine& engine, const LoraAdapter* adapter)
    : impl_(new Impl(engine, adapter)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator::~Generator() = default;

Generated Generator::generate(std::span<const int32_t> prompt, const SamplingOptions& options,
                              const std::function<bool(int32_t)>& on_token) {
  const size_t positions = impl_->base.config.max_position;
  check_tokens(impl_->base.config, prompt, "prompt");
  Continuation text(prompt, options, positions);
  impl_->cache.reserve(std::min(prompt.size() + options.max_new_tokens, positions));
  bool stopped = false;
  while (!text.end() && !stopped) {
    const auto token = text.draw(impl_->next_logits(text.tokens()));
    if (token && on_token) stopped = !on_token(*token);
  }
  return {{text.drawn().begin(), text.drawn().end()},
          stopped ? StopReason::kCallback : *text.end()};
}

}  // namespace ffe::lm
