// From logits to a text: draws tokens and knows when the text ends.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "crypto/random.hpp"

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

// A prompt and what was drawn after it.
class Continuation {
 public:
  // Throws Error{kUsage} for settings out of range.
  Continuation(std::span<const int32_t> prompt, SamplingOptions options, size_t max_position);
  Continuation(Continuation&&) noexcept = default;
  Continuation& operator=(Continuation&&) noexcept = default;
  ~Continuation();  // wipes the text

  std::span<const int32_t> tokens() const { return tokens_; }
  size_t prompt_size() const { return prompt_size_; }
  std::span<const int32_t> drawn() const { return tokens().subspan(prompt_size_); }
  // Set as soon as nothing more is to be drawn.
  std::optional<StopReason> end() const { return end_; }

  // The next token, out of the logits after the last one (which it may change); none if it was a
  // stop token. Before end() only.
  std::optional<int32_t> draw(std::span<float> logits);

 private:
  int32_t choose(std::span<float> logits);
  void penalise(std::span<float> logits) const;
  int32_t sample(std::span<float> logits);

  std::vector<int32_t> tokens_;
  size_t prompt_size_;
  SamplingOptions options_;
  size_t max_position_;
  crypto::ChaChaRng rng_;
  std::optional<StopReason> end_;
};

}  // namespace ffe::lm
