// Text generation for one stream, with a key-value cache.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "lm/engine.hpp"
#include "lm/sampler.hpp"

namespace ffe::lm {

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
