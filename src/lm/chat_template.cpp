#include "lm/chat_template.hpp"

#include <algorithm>

#include "lm/chat_prompts.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {
namespace {

// As Python's str.strip(): Unicode white space and the four separators of ASCII.
std::string_view trim(std::string_view text) {
  const auto is_space = [](uint32_t cp) {
    return is_unicode_space(cp) || (cp >= 0x1c && cp <= 0x1f);
  };
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t n = utf8_length(text, begin);
    if (n == 0 || !is_space(utf8_code_point(text, begin, n))) break;
    begin += n;
  }
  size_t end = text.size();
  while (end > begin) {
    size_t start = end - 1;
    while (start > begin && (static_cast<uint8_t>(text[start]) & 0xc0) == 0x80) --start;
    const size_t n = utf8_length(text, start);
    if (n != end - start || !is_space(utf8_code_point(text, start, n))) break;
    end = start;
  }
  return text.substr(begin, end - begin);
}

[[noreturn]] void bad(size_t index, const std::string& why) {
  throw Error(ErrorCode::kBadInput, "message " + std::to_string(index) + ": " + why);
}

enum class Role { kSystem, kUser, kAssistant };

Role role_of(const Message& message, size_t index) {
  if (message.role == "system") return Role::kSystem;
  if (message.role == "user") return Role::kUser;
  if (message.role == "assistant") return Role::kAssistant;
  bad(index, "the role is none of system, user and assistant");
}

// Templates of the [INST] kind raise an error on anything but user, assistant, user, …
void check_alternation(const std::vector<Message>& messages, size_t first) {
  for (size_t i = first; i < messages.size(); ++i) {
    const Role wanted = (i - first) % 2 == 0 ? Role::kUser : Role::kAssistant;
    if (role_of(messages[i], i) != wanted) {
      bad(i, "this model's template wants user and assistant turns to alternate, user first");
    }
  }
}

}  // namespace

// Collects a conversation as control tokens and texts. Neighbouring texts of one kind are joined
// before they are tokenised, as in a rendered template.
class ChatWriter {
 public:
  ChatWriter(const ChatTemplate& chat, bool default_system)
      : chat_(chat), style_(chat.style()), default_system_(default_system) {}

  void write(const std::vector<Message>& messages, bool generation_prompt) {
    switch (style_) {
      case ChatStyle::kLlama2:
        write_llama2(messages);
        return;
      case ChatStyle::kMistral:
      case ChatStyle::kMistral3:
        write_mistral(messages);
        return;
      case ChatStyle::kLlama3:
      case ChatStyle::kLlama31:
        write_llama3(messages, generation_prompt);
        return;
      case ChatStyle::kZephyr:
        write_zephyr(messages, generation_prompt);
        return;
      default:
        write_chatml(messages, generation_prompt);
        return;
    }
  }

  ChatTokens tokens() const {
    ChatTokens out;
    const Tokenizer& tokenizer = chat_.tokenizer();
    TextPosition position = TextPosition::kStart;
    for (const Part& part : parts_) {
      if (part.control >= 0) {
        out.tokens.push_back(part.control);
        position = TextPosition::kAfterToken;
      } else {
        const std::vector<int32_t> ids = tokenizer.encode(part.text, false, position);
        out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
        position = TextPosition::kWithin;
      }
      out.answer.resize(out.tokens.size(), part.answer);
    }
    return out;
  }

  std::string text() const {
    std::string out;
    for (const Part& part : parts_) {
      out += part.control >= 0 ? chat_.tokenizer().token(part.control) : part.text;
    }
    return out;
  }

 private:
  struct Part {
    int32_t control = -1;
    std::string text;
    uint8_t answer = 0;
  };

  void control(std::string_view token, bool answer = false) {
    parts_.push_back({chat_.control(token), {}, answer});
  }
  void text(std::string_view text, bool answer = false) {
    if (text.empty()) return;
    if (!parts_.empty() && parts_.back().control < 0 && parts_.back().answer == (answer ? 1 : 0)) {
      parts_.back().text += text;
    } else {
      parts_.push_back({-1, std::string(text), answer});
    }
  }
  // A marker that is a control token in some vocabularies and plain text in others.
  void marker(std::string_view token) {
    const std::optional<int32_t> id = chat_.tokenizer().id_of(token);
    if (id && chat_.tokenizer().is_special(*id)) {
      parts_.push_back({*id, {}, 0});
    } else {
      text(token);
    }
  }

  void open_chatml(std::string_view role) {
    control("<|im_start|>");
    text(role);
    text("\n");
  }

  void write_chatml(const std::vector<Message>& messages, bool generation_prompt) {
    const std::string_view system = default_system_prompt(style_);
    const bool has_system = !messages.empty() && messages[0].role == "system";
    if (default_system_ && !system.empty() && !has_system) turn_chatml("system", system, false);
    size_t last_user = 0;
    for (size_t i = 0; i < messages.size(); ++i) {
      if (role_of(messages[i], i) == Role::kUser) last_user = i;
    }
    for (size_t i = 0; i < messages.size(); ++i) {
      const bool answer = role_of(messages[i], i) == Role::kAssistant;
      const bool qwen3 = style_ == ChatStyle::kQwen3 && answer;
      if (qwen3 && messages[i].content.find("</think>") != std::string::npos) {
        bad(i, "an answer with a thought is not supported for this model's template");
      }
      turn_chatml(messages[i].role, messages[i].content, answer,
                  qwen3 && i > last_user && i + 1 == messages.size());
    }
    if (!generation_prompt) return;
    open_chatml("assistant");
    if (style_ == ChatStyle::kQwen3) text(kNoThought);
  }

  void turn_chatml(std::string_view role, std::string_view content, bool answer,
                   bool thought = false) {
    open_chatml(role);
    if (thought) {
      text(kNoThought);
      content.remove_prefix(std::min(content.find_first_not_of('\n'), content.size()));
    }
    text(content, answer);
    control("<|im_end|>", answer);
    text("\n", answer);
  }

  void open_llama3(std::string_view role) {
    control("<|start_header_id|>");
    text(role);
    control("<|end_header_id|>");
    text("\n\n");
  }

  void write_llama3(const std::vector<Message>& messages, bool generation_prompt) {
    control("<|begin_of_text|>");
    const bool has_system = !messages.empty() && messages[0].role == "system";
    const bool dates = style_ == ChatStyle::kLlama31 && (has_system || default_system_);
    if (dates) {
      open_llama3("system");
      text("Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n");
      if (has_system) text(trim(messages[0].content));
      control("<|eot_id|>");
    }
    for (size_t i = dates && has_system ? 1 : 0; i < messages.size(); ++i) {
      const bool answer = role_of(messages[i], i) == Role::kAssistant;
      open_llama3(messages[i].role);
      text(trim(messages[i].content), answer);
      control("<|eot_id|>", answer);
    }
    if (generation_prompt) open_llama3("assistant");
  }

  void write_llama2(const std::vector<Message>& messages) {
    const bool has_system = !messages.empty() && messages[0].role == "system";
    check_alternation(messages, has_system ? 1 : 0);
    for (size_t i = has_system ? 1 : 0; i < messages.size(); ++i) {
      const std::string& content = messages[i].content;
      if (messages[i].role == "assistant") {
        text(" " + std::string(trim(content)) + " ", true);
        control("</s>", true);
        continue;
      }
      control("<s>");
      const std::string with_system =
          has_system && i == 1 ? "<<SYS>>\n" + messages[0].content + "\n<</SYS>>\n\n" + content
                               : content;
      text("[INST] " + std::string(trim(with_system)) + " [/INST]");
    }
  }

  void write_mistral(const std::vector<Message>& messages) {
    const bool third = style_ == ChatStyle::kMistral3;
    if (!messages.empty() && messages[0].role == "system") {
      bad(0, "this model's template has no place for a system prompt");
    }
    check_alternation(messages, 0);
    control("<s>");
    for (const Message& message : messages) {
      if (message.role == "assistant") {
        text(third ? " " + std::string(trim(message.content)) : message.content, true);
        control("</s>", true);
      } else {
        marker("[INST]");
        text(" " + message.content + (third ? "" : " "));
        marker("[/INST]");
      }
    }
  }

  void write_zephyr(const std::vector<Message>& messages, bool generation_prompt) {
    for (size_t i = 0; i < messages.size(); ++i) {
      const bool answer = role_of(messages[i], i) == Role::kAssistant;
      marker("<|" + messages[i].role + "|>");
      text("\n");
      text(messages[i].content, answer);
      control("</s>", answer);
      text("\n", answer);
    }
    if (!generation_prompt) return;
    marker("<|assistant|>");
    text("\n");
  }

  static constexpr std::string_view kNoThought = "<think>\n\n</think>\n\n";

  const ChatTemplate& chat_;
  ChatStyle style_;
  bool default_system_;
  std::vector<Part> parts_;
};

ChatTemplate::ChatTemplate(ChatStyle style, const Tokenizer& tokenizer)
    : style_(style), tokenizer_(&tokenizer) {
  switch (style_) {
    case ChatStyle::kLlama3:
    case ChatStyle::kLlama31:
      for (const char* token :
           {"<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}) {
        control(token);
      }
      break;
    case ChatStyle::kLlama2:
    case ChatStyle::kMistral:
    case ChatStyle::kMistral3:
      control("<s>");
      control("</s>");
      break;
    case ChatStyle::kZephyr:
      control("</s>");
      break;
    default:
      control("<|im_start|>");
      control("<|im_end|>");
  }
}

ChatTemplate ChatTemplate::from(const ModelFile& model, const Tokenizer& tokenizer) {
  const std::string text = model.chat_template_text();
  const std::optional<ChatStyle> style = recognise_chat_style(text);
  if (!style) {
    throw Error(ErrorCode::kUnsupported,
                text.empty() ? "the model brings no chat template"
                             : "the model's chat template is not one of the known ones",
                "name the one it follows with --chat-template, for example chatml");
  }
  return ChatTemplate(*style, tokenizer);
}

int32_t ChatTemplate::control(std::string_view token) const {
  const std::optional<int32_t> id = tokenizer_->id_of(token);
  if (!id || !tokenizer_->is_special(*id)) {
    throw Error(ErrorCode::kUnsupported,
                "the vocabulary has no control token " + std::string(token) +
                    ", which the chat template \"" + std::string(chat_style_name(style_)) +
                    "\" needs",
                "choose another with --chat-template");
  }
  return *id;
}

ChatTokens ChatTemplate::encode_chat(const std::vector<Message>& messages,
                                     bool add_generation_prompt, bool use_default_system) const {
  ChatWriter writer(*this, use_default_system);
  writer.write(messages, add_generation_prompt);
  return writer.tokens();
}

std::string ChatTemplate::render(const std::vector<Message>& messages, bool add_generation_prompt,
                                 bool use_default_system) const {
  ChatWriter writer(*this, use_default_system);
  writer.write(messages, add_generation_prompt);
  return writer.text();
}

std::vector<int32_t> ChatTemplate::stop_tokens() const {
  std::vector<int32_t> out;
  const auto add = [&](std::optional<int32_t> id) {
    if (id && *id >= 0 && std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(*id);
  };
  for (const char* token :
       {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "</s>", "<|endoftext|>", "<|end_of_text|>"}) {
    const std::optional<int32_t> id = tokenizer_->id_of(token);
    if (id && tokenizer_->is_special(*id)) add(id);
  }
  add(tokenizer_->eos());
  return out;
}

}  // namespace ffe::lm
