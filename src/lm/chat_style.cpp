// Which known template a model's template text is.
#include <algorithm>
#include <array>

#include "lm/chat_prompts.hpp"
#include "lm/chat_template.hpp"

namespace ffe::lm {
namespace {

struct StyleName {
  ChatStyle style;
  std::string_view name;
};
constexpr StyleName kStyles[] = {
    {ChatStyle::kChatMl, "chatml"},   {ChatStyle::kSmolLm2, "smollm2"},
    {ChatStyle::kQwen2, "qwen2"},     {ChatStyle::kQwen25, "qwen2.5"},
    {ChatStyle::kQwen3, "qwen3"},     {ChatStyle::kLlama2, "llama2"},
    {ChatStyle::kLlama3, "llama3"},   {ChatStyle::kLlama31, "llama3.1"},
    {ChatStyle::kMistral, "mistral"}, {ChatStyle::kMistral3, "mistral-v0.3"},
    {ChatStyle::kZephyr, "zephyr"},
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// Templates say the same thing with either quote, with or without spaces around operators, as
// member or as index; line feeds in literals are escaped or not. All that is removed before
// comparison.
std::string essence(std::string_view text) {
  std::string out(text);
  replace_all(out, "\\n", "");
  std::erase_if(out, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  std::replace(out.begin(), out.end(), '"', '\'');
  replace_all(out, "message.role", "message['role']");
  replace_all(out, "message.content", "message['content']");
  replace_all(out, ".strip()", "|trim");
  return out;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The system prompts that a ChatML template spells out.
std::vector<std::string> literal_system_prompts(std::string text) {
  replace_all(text, "\\n", "\n");
  std::vector<std::string> out;
  constexpr std::string_view kOpen = "<|im_start|>system\n";
  for (size_t at = 0; (at = text.find(kOpen, at)) != std::string::npos;) {
    at += kOpen.size();
    const size_t end = text.find("<|im_end|>", at);
    const size_t quote = text.find_first_of("'\"", at);
    // A quote first: the literal ends and an expression follows.
    if (end == std::string::npos || quote < end) continue;
    out.push_back(text.substr(at, end - at));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::optional<ChatStyle> recognise_chatml(std::string_view text, std::string_view core) {
  const bool thinks = has(core, "enable_thinking") && has(core, "<think></think>");
  const bool plain_turn =
      has(core, "'<|im_start|>'+message['role']+''+message['content']+'<|im_end|>'");
  if (thinks) {
    const bool qwen3 = has(core, "'<|im_start|>'+message['role']+'<think>'+reasoning_content") &&
                       has(core, "last_query_index");
    return qwen3 ? std::optional(ChatStyle::kQwen3) : std::nullopt;
  }
  if (!plain_turn || has(core, "<think>") || has(core, "|trim") || has(core, "strftime")) {
    return std::nullopt;
  }
  const std::vector<std::string> prompts = literal_system_prompts(std::string(text));
  if (prompts.empty()) return ChatStyle::kChatMl;
  if (prompts.size() != 1) return std::nullopt;
  for (ChatStyle style : {ChatStyle::kSmolLm2, ChatStyle::kQwen2, ChatStyle::kQwen25}) {
    if (default_system_prompt(style) == prompts[0]) return style;
  }
  return std::nullopt;
}

std::optional<ChatStyle> recognise_inst(std::string_view text, std::string_view core) {
  if (has(core, "<<SYS>>")) {
    const bool llama2 = has(core, "bos_token+'[INST]'+content|trim+'[/INST]'") &&
                        has(core, "''+content|trim+''+eos_token");
    return llama2 ? std::optional(ChatStyle::kLlama2) : std::nullopt;
  }
  // Spaces inside the literals tell the versions apart.
  std::string quoted(text);
  std::replace(quoted.begin(), quoted.end(), '"', '\'');
  replace_all(quoted, "message.content", "message['content']");
  const bool spaced = has(quoted, "'[INST] ' + message['content'] + ' [/INST]'");
  const bool tight = has(quoted, "'[INST] ' + message['content'] + '[/INST]'");
  const bool trailing = has(quoted, "eos_token + ' '") || has(quoted, "eos_token+' '");
  const bool space_before = has(core, "''+message['content']+eos_token");
  const bool trimmed = has(core, "''+message['content']|trim+eos_token");
  if (spaced && !tight && !trailing && !space_before && has(core, "message['content']+eos_token")) {
    return ChatStyle::kMistral;
  }
  if (tight && !spaced && !trailing && trimmed) return ChatStyle::kMistral3;
  return std::nullopt;
}

}  // namespace

std::string_view default_system_prompt(ChatStyle style) {
  switch (style) {
    case ChatStyle::kSmolLm2:
      return "You are a helpful AI assistant named SmolLM, trained by Hugging Face";
    case ChatStyle::kQwen2:
      return "You are a helpful assistant.";
    case ChatStyle::kQwen25:
      return "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
    default:
      return {};
  }
}

std::string_view chat_style_name(ChatStyle style) {
  for (const StyleName& s : kStyles) {
    if (s.style == style) return s.name;
  }
  return "";
}

ChatStyle chat_style_from_name(std::string_view name) {
  std::string known;
  for (const StyleName& s : kStyles) {
    if (s.name == name) return s.style;
    known += (known.empty() ? "" : ", ") + std::string(s.name);
  }
  throw Error(ErrorCode::kUsage, "unknown chat template \"" + std::string(name) + "\"",
              "choose one of " + known);
}

std::optional<ChatStyle> recognise_chat_style(std::string_view text) {
  const std::string core = essence(text);
  if (has(core, "<|im_start|>")) return recognise_chatml(text, core);
  if (has(core, "<|start_header_id|>")) {
    const bool turn = has(core,
                          "'<|start_header_id|>'+message['role']+'<|end_header_id|>'+"
                          "message['content']|trim+'<|eot_id|>'");
    if (!turn) return std::nullopt;
    if (!has(core, "CuttingKnowledgeDate")) return ChatStyle::kLlama3;
    const bool dates = has(core, "'CuttingKnowledgeDate:December2023'") &&
                       has(core, "'TodayDate:'+date_string") && has(core, "'26Jul2024'");
    return dates ? std::optional(ChatStyle::kLlama31) : std::nullopt;
  }
  if (has(core, "[INST]")) return recognise_inst(text, core);
  if (has(core, "'<|user|>'+message['content']+eos_token") &&
      has(core, "'<|assistant|>'+message['content']+eos_token")) {
    // The line feed after each turn comes from the template's own line break.
    const bool lines = has(text, "eos_token }}\n") || has(text, "eos_token}}\n");
    return lines ? std::optional(ChatStyle::kZephyr) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace ffe::lm
