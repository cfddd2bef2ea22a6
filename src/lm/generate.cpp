#include "lm/generate.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "crypto/random.hpp"
#include "lm/check_example.hpp"
#include "lm/decoder.hpp"

namespace ffe::lm {
namespace {

// Draws tokens from logits.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options)
      : options_(options), rng_({options.seed.data(), options.seed.size()}) {}

  int32_t draw(std::span<float> logits, std::span<const int32_t> history) {
    penalise(logits, history);
    if (options_.temperature <= 0) return greedy(logits);
    return sample(logits);
  }

 private:
  void penalise(std::span<float> logits, std::span<const int32_t> history) {
    if (options_.repetition_penalty == 1.0) return;
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    std::vector<int32_t> seen(history.begin(), history.end());
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    for (int32_t id : seen) logits[id] *= logits[id] > 0 ? 1 / penalty : penalty;
  }

  static int32_t greedy(std::span<const float> logits) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }

  int32_t sample(std::span<float> logits) {
    const auto warm = static_cast<float>(1 / options_.temperature);
    for (float& x : logits) x *= warm;
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    size_t kept = order.size();
    if (options_.top_k > 0) kept = std::min<size_t>(kept, options_.top_k);
    const auto likelier = [&](int32_t a, int32_t b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(kept), order.end(),
                      likelier);
    order.resize(kept);
    std::vector<float> weights;
    for (int32_t id : order) weights.push_back(logits[id]);
    kernels().exp_scale(weights.data(), kept, logits[order.front()], 1.0f);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    // The smallest set of the likeliest whose probability reaches top_p.
    double within = 0;
    size_t count = 0;
    while (count < kept && (count == 0 || within < options_.top_p * total)) {
      within += weights[count++];
    }
    double at = rng_.uniform01() * within;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (at < weights[i]) return order[i];
      at -= weights[i];
    }
    return order[count - 1];
  }

  const SamplingOptions& options_;
  crypto::ChaChaRng rng_;
};

void check_options(const SamplingOptions& options) {
  if (!(options.temperature >= 0) || !(options.top_p > 0 && options.top_p <= 1) ||
      !(options.repetition_penalty > 0)) {
    throw Error(ErrorCode::kUsage, "sampling settings out of range",
                "temperature at least 0, top-p in (0, 1], repetition penalty above 0");
  }
}

}  // namespace

struct Generator::Impl {
  Impl(const Engine& engine, const LoraAdapter* adapter) : decoder(engine.base(), adapter) {}

  Decoder decoder;
};

Generator::Generator(const Engine& engine, const LoraAdapter* adapter)
    : impl_(new Impl(engine, adapter)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator::~Generator() = default;

Generated Generator::generate(std::span<const int32_t> prompt, const SamplingOptions& options,
                              const std::function<bool(int32_t)>& on_token) {
  check_options(options);
  const ModelConfig& config = impl_->decoder.config();
  check_tokens(config, prompt, "prompt");
  Sampler sampler(options);
  std::vector<int32_t> history(prompt.begin(), prompt.end());
  Generated result;
  while (result.tokens.size() < options.max_new_tokens) {
    const int32_t token = sampler.draw(impl_->decoder.next_logits(history), history);
    const auto& stops = options.stop_tokens;
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
      result.reason = StopReason::kStopToken;
      return result;
    }
    result.tokens.push_back(token);
    history.push_back(token);
    if (on_token && !on_token(token)) {
      result.reason = StopReason::kCallback;
      return result;
    }
    if (history.size() >= config.max_position) {
      result.reason = StopReason::kContext;
      return result;
    }
  }
  return result;
}

}  // namespace ffe::lm
