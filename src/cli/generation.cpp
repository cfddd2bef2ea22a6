#include "cli/generation.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "crypto/random.hpp"

namespace ffe::cli {
namespace {

uint64_t random_seed() {
  uint8_t bytes[8];
  crypto::random_bytes(bytes);
  return get_le64(bytes) >> 11;  // a number that JSON readers keep exactly
}

}  // namespace

void add_generation_options(CLI::App& command, GenerationOptions& o) {
  command.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_model_options(command, o.model);
  o.model.generates = true;
  command.add_option("--adapter", o.adapter, "PEFT folder");
  command.add_option("--temperature", o.sampling.temperature, "0: always the likeliest token")
      ->capture_default_str();
  command.add_option("--top-p", o.sampling.top_p, "Draw from the likeliest with this probability")
      ->capture_default_str();
  command.add_option("--top-k", o.sampling.top_k, "Draw from so many of the likeliest (0: all)");
  command.add_option("--repetition-penalty", o.sampling.repetition_penalty, "1: none");
  command.add_option("--max-tokens", o.sampling.max_new_tokens, "Longest answer")
      ->capture_default_str();
  command.add_option("--stop", o.stops, "Text that ends the answer; may be given several times")
      ->take_all();
  command.add_option("--seed", o.seed, "Of the draws (default: random)");
  command.add_option("--system", o.system, "System prompt");
}

Responder::Responder(const GenerationOptions& options, Terminal& terminal)
    : Answerer(options),
      model_(options.model),
      seed_(options.seed ? *options.seed : random_seed()) {
  std::optional<lm::LoraAdapter> adapter;
  if (!options.adapter.empty()) adapter = model_.adapter(options.adapter);
  generator_.emplace(model_.engine(terminal), adapter ? &*adapter : nullptr);
}

lm::Answer Responder::answer(const std::vector<lm::Message>& messages, const lm::OnText& on_text) {
  std::vector<lm::Message> all = messages;
  if (!options_.system.empty()) all.insert(all.begin(), {"system", options_.system});
  const lm::ChatTokens prompt =
      model_.chat().encode_chat(all, true, options_.model.system_prompt == "model");
  return generate(prompt.tokens, model_.chat().stop_tokens(), on_text);
}

lm::Answer Responder::complete(const std::string& text, const lm::OnText& on_text) {
  return generate(lm::plain_prompt(model_.tokenizer(), text), model_.config().eos, on_text);
}

lm::Answer Responder::generate(std::span<const int32_t> prompt, std::vector<int32_t> stop_tokens,
                               const lm::OnText& on_text) {
  lm::SamplingOptions sampling = options_.sampling;
  crypto::ChaChaRng rng = seeded_rng(seed_ + turns_++, "sample");
  for (uint8_t& b : sampling.seed.bytes) b = static_cast<uint8_t>(rng.next_u32());
  sampling.stop_tokens = std::move(stop_tokens);
  return lm::generate_text(*generator_, model_.tokenizer(), prompt, sampling, options_.stops,
                           on_text);
}

void write_stdout(std::string_view text) {
  if (text.empty()) return;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(ErrorCode::kIo, std::string("cannot write to stdout: ") + std::strerror(errno));
  }
}

}  // namespace ffe::cli
