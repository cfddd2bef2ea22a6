// OpenAI's chat completions: what of a request is understood, and the objects that answer it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "evm/u256.hpp"
#include "lm/conversation.hpp"

namespace ffe::inference {

// Models are named after the token that gives the right to use them: "ffe-17001".
std::string model_name(const evm::U256& token);
evm::U256 token_of_model(std::string_view model);  // throws Refusal 404

struct ChatRequest {
  evm::U256 token;
  std::vector<lm::Message> messages;
  lm::SamplingOptions sampling;  // its seed is the request's or random; stop tokens are not filled
  std::vector<std::string> stops;
  bool stream = false;
  bool include_usage = false;
};

// Fields that change what is asked for and are not supported are refused by name, unless their
// value asks for nothing; so are unknown ones. Fields that change nothing (user, metadata, …) are
// ignored. An answer has at most `max_tokens` tokens, whatever more is asked for. Throws Refusal.
ChatRequest parse_chat(const Json& request, size_t max_tokens);

// Of one answer: whole, or in chunks.
struct AnswerHead {
  std::string id;  // "chatcmpl-…"
  std::string model;
  std::string fingerprint;  // system_fingerprint: which adapter on which base model
  int64_t created = 0;      // Unix seconds
};
struct Usage {
  size_t prompt = 0, completion = 0;
};
std::string_view finish_reason(lm::AnswerEnd end);  // "stop" or "length"

Json completion(const AnswerHead& head, const std::string& text, lm::AnswerEnd end,
                const Usage& usage);
Json first_chunk(const AnswerHead& head);
Json text_chunk(const AnswerHead& head, const std::string& text);
Json last_chunk(const AnswerHead& head, lm::AnswerEnd end);
Json usage_chunk(const AnswerHead& head, const Usage& usage);

}  // namespace ffe::inference
