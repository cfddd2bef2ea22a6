#include "cli/sealed_answerer.hpp"

#include "base/hex.hpp"

namespace ffe::cli {
namespace {

constexpr int kPatience = 30;  // seconds

// One chunk of OpenAI's stream.
struct Delta {
  std::string text, finish;
};

Delta delta_of(const Json& chunk) {
  Delta out;
  const Json& choices = json_member(chunk, "choices", "answer");
  if (!choices.is_array() || choices.empty()) return out;
  const Json& choice = choices.front();
  const Json& delta = json_member(choice, "delta", "answer.choices[0]");
  if (delta.contains("content")) out.text = json_string(delta, "content", "answer");
  const Json& finish = json_member(choice, "finish_reason", "answer.choices[0]");
  if (finish.is_string()) out.finish = finish.get<std::string>();
  return out;
}

}  // namespace

SealedAnswerer::SealedAnswerer(const SealedOptions& sealed, const GenerationOptions& options,
                               Terminal& terminal)
    : Answerer(options), model_(sealed, terminal, kPatience) {
  model_.begin();
}

Json SealedAnswerer::request(const std::vector<lm::Message>& messages) const {
  Json list = Json::array();
  if (!options_.system.empty()) {
    list.push_back({{"role", "system"}, {"content", options_.system}});
  }
  for (const lm::Message& m : messages) {
    list.push_back({{"role", m.role}, {"content", m.content}});
  }
  const lm::SamplingOptions& s = options_.sampling;
  Json out = {{"messages", std::move(list)},
              {"temperature", s.temperature},
              {"top_p", s.top_p},
              {"top_k", s.top_k},
              {"repetition_penalty", s.repetition_penalty},
              {"max_tokens", s.max_new_tokens},
              {"stream_options", {{"include_usage", true}}}};
  if (!options_.stops.empty()) out["stop"] = options_.stops;
  if (options_.seed) out["seed"] = *options_.seed;
  return out;
}

lm::Answer SealedAnswerer::answer(const std::vector<lm::Message>& messages,
                                  const lm::OnText& on_text) {
  lm::Answer out;
  out.end = lm::AnswerEnd::kCallback;
  proof_ = model_.line().stream(request(messages), [&](const Json& chunk) {
    const Delta delta = delta_of(chunk);
    out.text += delta.text;
    if (delta.finish == "stop") out.end = lm::AnswerEnd::kStopToken;
    if (delta.finish == "length") out.end = lm::AnswerEnd::kLength;
    if (chunk.contains("usage")) {
      out.prompt_tokens = json_uint(chunk["usage"], "prompt_tokens", "usage");
      out.tokens = json_uint(chunk["usage"], "completion_tokens", "usage");
    }
    return !on_text || on_text(delta.text);
  });
  return out;
}

Json SealedAnswerer::proof() const {
  if (proof_.text.empty()) return nullptr;  // the answer was stopped
  return {
      {"key", proof_.key}, {"text", proof_.text}, {"signature", to_hex0x(proof_.signature.bytes)}};
}

}  // namespace ffe::cli
