// The final norm, the vocabulary projection and the cross-entropy, in blocks of rows.
#include <algorithm>
#include <cmath>

#include "lm/logarithm.hpp"
#include "lm/parallel.hpp"
#include "lm/pass.hpp"

namespace ffe::lm {
namespace {

// Logits of at most this many floats exist at a time (160 MB).
constexpr size_t kLogitFloats = size_t{40} << 20;
constexpr size_t kMinRows = 32;

}  // namespace

// Calls take(first, count, logits) for blocks of needed rows; logits [count, vocab] may be changed.
// With `dhidden`, what take() leaves there is taken as their gradient and brought back through the
// projection and the final norm.
void Pass::for_head_blocks(
    const std::function<void(size_t first, size_t count, float* logits)>& take, float* dhidden) {
  const size_t width = config_.hidden;
  const size_t vocab = config_.vocab;
  const size_t block = std::min(needed_.size(), std::max(kMinRows, kLogitFloats / vocab));
  const Arena::Mark mark = arena_.mark();
  float* logits = arena_.take(block * vocab);
  float* normed = arena_.take(block * width);
  float* inverse_rms = arena_.take(block);
  for (size_t first = 0; first < needed_.size(); first += block) {
    const size_t count = std::min(block, needed_.size() - first);
    const float* x = hidden_ + first * width;
    normalise(x, count, base_.final_norm, inverse_rms, normed);
    base_.head().forward({normed, width, count, nullptr, 0, logits, vocab, {}}, base_.threads);
    take(first, count, logits);
    if (!dhidden) continue;
    base_.head().backward({logits, vocab, count, nullptr, 0, normed, width, {}}, base_.threads);
    parallel_rows(base_.threads, count, [&](size_t i) {
      kernels().rms_norm_backward(x + i * width, base_.final_norm.data(), width, inverse_rms[i],
                                  normed + i * width, false, dhidden + (first + i) * width);
    });
  }
  arena_.release(mark);
}

std::vector<double> Pass::head(std::span<const float> weights, float* dx) {
  const std::vector<Target>& targets = pack_.targets;
  std::vector<double> losses(targets.size());
  // Where each needed row's targets begin.
  std::vector<size_t> begin(needed_.size() + 1, targets.size());
  for (size_t t = targets.size(), row = needed_.size(); t-- > 0;) {
    if (row == needed_.size() || needed_[row] != targets[t].row) --row;
    begin[row] = t;
  }
  const auto one_row = [&](size_t row, float* logits) {
    float max;
    float sum;
    kernels().log_sum_exp(logits, config_.vocab, &max, &sum);
    const double log_sum = natural_logarithm(sum) + max;
    float weight = 0;
    for (size_t t = begin[row]; t < begin[row + 1]; ++t) {
      losses[t] = log_sum - logits[targets[t].token];
      if (dx) weight += weights[t];
    }
    if (!dx) return;
    kernels().exp_scale(logits, config_.vocab, max, weight / sum);
    for (size_t t = begin[row]; t < begin[row + 1]; ++t) logits[targets[t].token] -= weights[t];
  };
  for_head_blocks(
      [&](size_t first, size_t count, float* logits) {
        parallel_for(base_.threads, count,
                     [&](size_t i) { one_row(first + i, logits + i * config_.vocab); });
      },
      dx);
  return losses;
}

void Pass::logits(
    const std::function<void(size_t first, size_t count, const float* logits)>& take) {
  for_head_blocks([&](size_t first, size_t count, float* logits) { take(first, count, logits); },
                  nullptr);
}

}  // namespace ffe::lm
