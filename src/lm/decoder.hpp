// The model one token after another, with the keys and values of what it has read.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "lm/base_model.hpp"
#include "lm/lora_runtime.hpp"

namespace ffe::lm {

class Decoder {
 public:
  // `adapter` may be null.
  Decoder(const BaseModel& base, const LoraAdapter* adapter);

  // Logits after the last of `tokens`, which may be changed until the next call. What the tokens
  // have in common with those of the last call is not computed again.
  std::span<float> next_logits(std::span<const int32_t> tokens);
  const ModelConfig& config() const { return base_.config; }

 private:
  struct Cache {
    std::vector<float> k, v;  // [tokens read, kv_size]
  };

  void read(std::span<const int32_t> tokens);
  void run_layer(size_t index, size_t begin, float* x, size_t m);

  const BaseModel& base_;
  std::optional<LoraRuntime> runtime_;
  PassSlot slot_;
  std::vector<Cache> cache_;
  std::vector<int32_t> tokens_;
  std::vector<float> logits_;
};

}  // namespace ffe::lm
