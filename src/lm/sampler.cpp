#include "lm/sampler.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "lm/kernels.hpp"

namespace ffe::lm {
namespace {

SamplingOptions checked(SamplingOptions options) {
  if (!(options.temperature >= 0) || !(options.top_p > 0 && options.top_p <= 1) ||
      !(options.repetition_penalty > 0)) {
    throw Error(ErrorCode::kUsage, "sampling settings out of range",
                "temperature at least 0, top-p in (0, 1], repetition penalty above 0");
  }
  return options;
}

}  // namespace

Continuation::Continuation(std::span<const int32_t> prompt, SamplingOptions options,
                           size_t max_position)
    : prompt_size_(prompt.size()),
      options_(checked(std::move(options))),
      max_position_(max_position),
      rng_({options_.seed.data(), options_.seed.size()}) {
  // All at once: growing would leave copies behind.
  const size_t room = max_position > prompt.size() ? max_position - prompt.size() : 0;
  tokens_.reserve(prompt.size() + std::min(room, options_.max_new_tokens));
  tokens_.assign(prompt.begin(), prompt.end());
  if (options_.max_new_tokens == 0) end_ = StopReason::kLength;
}

Continuation::~Continuation() {
  wipe(tokens_.data(), tokens_.size() * sizeof(int32_t));
}

std::optional<int32_t> Continuation::draw(std::span<float> logits) {
  const int32_t token = choose(logits);
  const auto& stops = options_.stop_tokens;
  if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
    end_ = StopReason::kStopToken;
    return std::nullopt;
  }
  tokens_.push_back(token);
  if (tokens_.size() >= max_position_) {
    end_ = StopReason::kContext;
  } else if (drawn().size() >= options_.max_new_tokens) {
    end_ = StopReason::kLength;
  }
  return token;
}

int32_t Continuation::choose(std::span<float> logits) {
  penalise(logits);
  if (options_.temperature > 0) return sample(logits);
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void Continuation::penalise(std::span<float> logits) const {
  if (options_.repetition_penalty == 1.0) return;
  const auto penalty = static_cast<float>(options_.repetition_penalty);
  std::vector<int32_t> seen = tokens_;
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (int32_t id : seen) logits[id] *= logits[id] > 0 ? 1 / penalty : penalty;
}

int32_t Continuation::sample(std::span<float> logits) {
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

}  // namespace ffe::lm
