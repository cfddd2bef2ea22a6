#include "lm/conversation.hpp"

namespace ffe::lm {

std::string_view answer_end_name(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kStopToken:
      return "stop";
    case AnswerEnd::kStopString:
      return "stop_string";
    case AnswerEnd::kLength:
      return "length";
    case AnswerEnd::kContext:
      return "context";
    case AnswerEnd::kCallback:
      return "cancelled";
  }
  return "";
}

Answer generate_text(Generator& generator, const Tokenizer& tokenizer,
                     std::span<const int32_t> prompt, const SamplingOptions& options,
                     const std::vector<std::string>& stop_strings, const OnText& on_text) {
  TextStream stream(tokenizer, stop_strings);
  Answer answer;
  answer.prompt_tokens = prompt.size();
  const auto show = [&](const std::string& text) {
    answer.text += text;
    // Called for every token, also when there is nothing to show: it may want to stop.
    return !on_text || on_text(text);
  };
  const Generated generated = generator.generate(prompt, options, [&](int32_t token) {
    const bool go_on = show(stream.push(token));
    return go_on && !stream.stopped();
  });
  answer.tokens = generated.tokens.size();
  const bool cancelled = generated.reason == StopReason::kCallback && !stream.stopped();
  if (const std::string rest = stream.finish(); !rest.empty() && !cancelled) show(rest);
  if (stream.stopped()) {
    answer.end = AnswerEnd::kStopString;
    answer.stop_string = stream.found();
    return answer;
  }
  switch (generated.reason) {
    case StopReason::kStopToken:
      answer.end = AnswerEnd::kStopToken;
      break;
    case StopReason::kLength:
      answer.end = AnswerEnd::kLength;
      break;
    case StopReason::kContext:
      answer.end = AnswerEnd::kContext;
      break;
    case StopReason::kCallback:
      answer.end = AnswerEnd::kCallback;
      break;
  }
  return answer;
}

std::vector<int32_t> plain_prompt(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> out;
  if (tokenizer.adds_bos()) out.push_back(tokenizer.bos());
  const std::vector<int32_t> ids = tokenizer.encode(text);
  out.insert(out.end(), ids.begin(), ids.end());
  return out;
}

}  // namespace ffe::lm
