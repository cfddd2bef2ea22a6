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

// The first of the largest: block by block, because the vectors find the value, not its place.
int32_t likeliest(std::span<const float> logits) {
  constexpr size_t kBlock = 1024;
  size_t best = 0;
  float top = logits[0];
  for (size_t i = 0; i < logits.size(); i += kBlock) {
    const float here = kernels().maximum(&logits[i], std::min(kBlock, logits.size() - i));
    if (here > top) {
      top = here;
      best = i;
    }
  }
  return static_cast<int32_t>(
      std::find(logits.begin() + static_cast<ptrdiff_t>(best), logits.end(), top) - logits.begin());
}

// Ids by falling weight, lower ids first among equals. Sorted only as far as somebody looks.
class Ranking {
 public:
  explicit Ranking(std::span<const float> weights) : weights_(weights), ids_(weights.size()) {
    std::iota(ids_.begin(), ids_.end(), 0);
  }
  int32_t id(size_t rank) {
    while (rank >= sorted_) sort_more();
    return ids_[rank];
  }
  float weight(size_t rank) { return weights_[id(rank)]; }

 private:
  void sort_more() {
    const auto begin = ids_.begin() + static_cast<ptrdiff_t>(sorted_);
    sorted_ = std::min(ids_.size(), sorted_ * 4 + 64);
    std::partial_sort(begin, ids_.begin() + static_cast<ptrdiff_t>(sorted_), ids_.end(),
                      [&](int32_t a, int32_t b) {
                        return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
                      });
  }

  std::span<const float> weights_;
  std::vector<int32_t> ids_;
  size_t sorted_ = 0;
};

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
  return likeliest(logits);
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
  const float top = kernels().maximum(logits.data(), logits.size());
  kernels().exp_scale(logits.data(), logits.size(), top, 1.0f);
  Ranking ranking(logits);
  const size_t kept =
      options_.top_k > 0 ? std::min<size_t>(options_.top_k, logits.size()) : logits.size();
  double total = 0;
  if (kept == logits.size()) {
    total = std::accumulate(logits.begin(), logits.end(), 0.0);
  } else {
    for (size_t i = 0; i < kept; ++i) total += ranking.weight(i);
  }
  // The smallest set of the likeliest whose probability reaches top_p.
  double within = total;
  size_t count = kept;
  if (options_.top_p < 1) {
    for (within = 0, count = 0; count < kept && within < options_.top_p * total; ++count) {
      within += ranking.weight(count);
    }
  }
  double at = rng_.uniform01() * within;
  for (size_t i = 0; i + 1 < count; ++i) {
    if (at < ranking.weight(i)) return ranking.id(i);
    at -= ranking.weight(i);
  }
  return ranking.id(count - 1);
}

}  // namespace ffe::lm
