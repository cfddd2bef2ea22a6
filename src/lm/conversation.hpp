// Answers as text: prompt, chat template, generator and stop strings in one place.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lm/chat_template.hpp"
#include "lm/generate.hpp"
#include "lm/text_stream.hpp"

namespace ffe::lm {

enum class AnswerEnd {
  kStopToken,   // "stop"      the model ended its turn
  kStopString,  // "stop_string"
  kLength,      // "length"    as many tokens as were allowed
  kContext,     // "context"   the model has no position left
  kCallback,    // "cancelled" by on_text
};
std::string_view answer_end_name(AnswerEnd end);

struct Answer {
  std::string text;
  AnswerEnd end = AnswerEnd::kLength;
  std::string stop_string;  // the one that ended it
  size_t prompt_tokens = 0;
  size_t tokens = 0;  // drawn, those of a stop string included
};

// Shows text that is final; false ends the answer.
using OnText = std::function<bool(std::string_view)>;

// Draws the text that follows `prompt`. `on_text` gets the text in pieces of whole characters, none
// of which belongs to a stop string. Throws as Generator::generate does.
Answer generate_text(Generator& generator, const Tokenizer& tokenizer,
                     std::span<const int32_t> prompt, const SamplingOptions& options,
                     const std::vector<std::string>& stop_strings, const OnText& on_text = {});

// The tokens of plain text that the model is to continue.
std::vector<int32_t> plain_prompt(const Tokenizer& tokenizer, std::string_view text);

}  // namespace ffe::lm
