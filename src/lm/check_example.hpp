// What the engine asks of token sequences before it computes with them.
#pragma once

#include <span>
#include <string>

#include "lm/example.hpp"
#include "lm/model_config.hpp"

namespace ffe::lm {

// Throw Error{kBadInput} whose message begins with `what`.
void check_tokens(const ModelConfig& config, std::span<const int32_t> tokens,
                  const std::string& what);
void check_example(const ModelConfig& config, const Example& example, const std::string& what);

}  // namespace ffe::lm
