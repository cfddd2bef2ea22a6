#include "cli/model_options.hpp"

#include <fmt/format.h>

#include "base/interrupt.hpp"
#include "crypto/hash.hpp"
#include "lm/model_store.hpp"

namespace ffe::cli {

namespace fs = std::filesystem;

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("-m,--model", options.model,
                     "GGUF file, Hugging Face folder, or name in the cache (see: ffe model list)");
  command.add_option(
      "--numeric", options.numeric,
      "auto, f32, bf16-emulated, avx512-bf16 or amx-bf16 (ffe run and ffe chat: also "
      "quantised, which is auto's choice for quantised models)");
  command.add_option("--threads", options.threads, "Cores (0: all)")->check(CLI::Range(0, 1024));
  command.add_option("--chat-template", options.chat_template,
                     "chatml, smollm2, qwen2, qwen2.5, qwen3, llama2, llama3, llama3.1, mistral, "
                     "mistral-v0.3 or zephyr (default: the model's own)");
  command
      .add_option("--system-prompt", options.system_prompt,
                  "Where a conversation has none: the model's own (model) or none")
      ->check(CLI::IsMember({"model", "none"}));
}

LoadedModel::LoadedModel(const ModelOptions& options)
    : options_(options),
      file_(lm::ModelFile::open(lm::find_model(options.model))),
      numeric_(options.generates ? lm::generation_numeric_from_name(options.numeric, file_)
                                 : lm::numeric_from_name(options.numeric)),
      tokenizer_(lm::Tokenizer::from(file_)) {
  if (!options.chat_template.empty()) {
    chat_.emplace(lm::chat_style_from_name(options.chat_template), tokenizer_);
    return;
  }
  try {
    chat_.emplace(lm::ChatTemplate::from(file_, tokenizer_));
  } catch (const Error& e) {
    // Plain text needs none.
    if (e.code() != ErrorCode::kUnsupported) throw;
    no_chat_.emplace(e);
  }
}

const lm::ChatTemplate& LoadedModel::chat() const {
  if (!chat_) throw *no_chat_;
  return *chat_;
}

lm::ExampleOptions LoadedModel::example_options() const {
  lm::ExampleOptions out;
  const size_t positions = config().max_position;
  if (options_.max_tokens > positions) {
    throw Error(ErrorCode::kUsage, fmt::format("--max-tokens {}: the model has {} positions",
                                               options_.max_tokens, positions));
  }
  out.max_tokens =
      options_.max_tokens > 0 ? options_.max_tokens : std::min<size_t>(out.max_tokens, positions);
  out.default_system = options_.system_prompt == "model";
  return out;
}

lm::Dataset LoadedModel::dataset(const fs::path& path) const {
  try {
    return lm::read_dataset(path, tokenizer_, chat_ ? &*chat_ : nullptr, example_options(),
                            [](uint64_t, uint64_t) { check_interrupt(); });
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kUnsupported && no_chat_) throw *no_chat_;
    throw;
  }
}

lm::LoraAdapter LoadedModel::adapter(const fs::path& folder) const {
  return lm::read_peft_folder(folder, config());
}

const lm::Engine& LoadedModel::engine(Terminal& terminal, size_t train_tokens) {
  if (!engine_) {
    const Progress bar = terminal.bar("Loading", config().name, "B");
    lm::EngineOptions options;
    options.numeric = numeric_;
    options.threads = options_.threads;
    options.train_tokens = train_tokens;
    engine_ = std::make_unique<lm::Engine>(file_, options);
    terminal.finish_bar(fmt::format("{}  {}, {} threads", config().name, lm::numeric_name(numeric_),
                                    engine_->threads()));
    check_interrupt();
  }
  return *engine_;
}

crypto::ChaChaRng seeded_rng(uint64_t seed, std::string_view label) {
  uint8_t bytes[8];
  put_le64(bytes, seed);
  return crypto::ChaChaRng(
      crypto::sha256(concat({as_bytes("ffe."), as_bytes(label), bytes})).bytes);
}

}  // namespace ffe::cli
