// The system prompts that templates bring along.
#pragma once

#include <string_view>

#include "lm/chat_template.hpp"

namespace ffe::lm {

// Empty if the style has none of its own.
std::string_view default_system_prompt(ChatStyle style);

}  // namespace ffe::lm
