// What the trainer and the evaluator eat: token ids, and which of them count in the loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ffe::lm {

// target[i] = 1: token i counts in the loss, predicted from the tokens before it. The two vectors
// have equal length and target[0] is 0, because nothing predicts the first token.
struct Example {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> target;

  size_t target_count() const {
    size_t n = 0;
    for (uint8_t t : target) n += t;
    return n;
  }
  bool operator==(const Example&) const = default;
};

}  // namespace ffe::lm
