// The Learner on the real engine.
#pragma once

#include <memory>

#include "gate/learner.hpp"

namespace ffe::lm {
class Engine;
}

namespace ffe::gate {

// References must outlive the learner. `max_tokens`: the recipe's sequence length.
std::unique_ptr<Learner> make_learner(const lm::Engine& engine, const lm::Tokenizer& tokenizer,
                                      const lm::ChatTemplate* chat, lm::ExampleOptions options);

}  // namespace ffe::gate
