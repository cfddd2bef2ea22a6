// Text generation with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "lm/engine.hpp"

namespace ffe::lm {

struct SamplingOptions {
  size_t max_new_tokens = 256;
  double temperature = 0;  // 0: greedy
  uint32_t top_k = 0;      // 0: all
  double top_p = 1.0;
  double repetition_penalty = 1.0;
  H256 seed;                         // of ChaChaRng
  std::vector<int32_t> stop_tokens;  // end the text and are not part of it
};

enum class StopReason { kStopToken, kLength, kContext, kCallback };

struct Generated {
  std::vector<int32_t> tokens;
  StopReason reason = StopReason::kLength;
};

// Keeps what it has read: a later prompt that begins with the same tokens continues from there.
class Generator {
 public:
  // `adapter` may be null; it is copied. The engine must outlive the generator.
  explicit Generator(const Engine& engine, const LoraAdapter* adapter = nullptr);
  Generator(Generator&&) noexcept;
  ~Generator();

  // `on_token` is called with every token as it is drawn; false ends the text after it. Throws
  // Error{kBadInput} for an empty prompt, one longer than the model's positions or foreign ids.
  Generated generate(std::span<const int32_t> prompt, const SamplingOptions& options,
                     const std::function<bool(int32_t)>& on_token = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::lm
