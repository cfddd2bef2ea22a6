// Conversations to tokens in the form that the model was tuned on, without a template interpreter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lm/tokenizer.hpp"
#include "lm/weights.hpp"

namespace ffe::lm {

struct Message {
  std::string role;  // "system", "user" or "assistant"
  std::string content;

  bool operator==(const Message&) const = default;
};

struct ChatTokens {
  std::vector<int32_t> tokens;
  // 1 for what an assistant's turn adds after its header: the answer, the token that ends the turn
  // and the line feed after it, if the template has one. The header and the answer are tokenised
  // apart, so that what comes before an answer is exactly the prompt that asks for it.
  std::vector<uint8_t> answer;
};

enum class ChatStyle {
  kChatMl,   // "chatml": no default system prompt
  kSmolLm2,  // "smollm2": ChatML with SmolLM2's default system prompt
  kQwen2,    // "qwen2": ChatML with Qwen2's
  kQwen25,   // "qwen2.5": ChatML with Qwen2.5's
  kQwen3,    // "qwen3": ChatML with an empty thought before the answer (its non-thinking mode)
  kLlama2,   // "llama2"
  kLlama3,   // "llama3"
  // "llama3.1": also 3.2 and 3.3; the system turn begins with dates. The template's own fixed date
  // is used, never today's: the same rows give the same tokens on every day.
  kLlama31,
  kMistral,   // "mistral": Mistral 7B Instruct 0.2
  kMistral3,  // "mistral-v0.3"
  kZephyr,    // "zephyr"
};
std::string_view chat_style_name(ChatStyle style);
ChatStyle chat_style_from_name(std::string_view name);  // throws Error{kUsage} listing the names

// The style that a model's template text stands for; nothing if it is none of the known ones.
std::optional<ChatStyle> recognise_chat_style(std::string_view template_text);

// Holds a reference to the tokenizer, which must outlive it.
class ChatTemplate {
 public:
  // Recognises the model's own template. Throws Error{kUnsupported} that names --chat-template when
  // the model has none or an unknown one.
  static ChatTemplate from(const ModelFile& model, const Tokenizer& tokenizer);
  // Throws Error{kUnsupported} when the vocabulary lacks one of the style's control tokens.
  ChatTemplate(ChatStyle style, const Tokenizer& tokenizer);

  // Template control tokens are real special tokens; text in messages never becomes one. Throws
  // Error{kBadInput} naming the message's index for an unknown role or an order that the template
  // cannot express. `use_default_system`: begin with the model's own system prompt where it has one
  // and the messages do not.
  ChatTokens encode_chat(const std::vector<Message>& messages, bool add_generation_prompt,
                         bool use_default_system) const;

  // The same as text, for people and for comparison with other implementations.
  std::string render(const std::vector<Message>& messages, bool add_generation_prompt,
                     bool use_default_system) const;

  ChatStyle style() const { return style_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  std::vector<int32_t> stop_tokens() const;  // any of them ends an answer

 private:
  friend class ChatWriter;
  int32_t control(std::string_view token) const;

  ChatStyle style_;
  const Tokenizer* tokenizer_;
};

}  // namespace ffe::lm
