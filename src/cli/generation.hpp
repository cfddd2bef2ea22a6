// What `ffe run` and `ffe chat` have in common: sampling options and a model that answers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "cli/model_options.hpp"
#include "lm/conversation.hpp"

namespace ffe::cli {

struct GenerationOptions {
  ModelOptions model;
  std::filesystem::path adapter;
  lm::SamplingOptions sampling;  // its seed and stop tokens are filled in
  std::vector<std::string> stops;
  std::optional<uint64_t> seed;  // none: a random one
  std::string system;            // empty: as --system-prompt says
};

void add_generation_options(CLI::App& command, GenerationOptions& options);

// Answers conversations: a model on this machine, or one in an enclave.
class Answerer {
 public:
  explicit Answerer(const GenerationOptions& options) : options_(options) {}
  virtual ~Answerer() = default;

  GenerationOptions& options() { return options_; }
  // The next turn of a conversation that ends with a user's.
  virtual lm::Answer answer(const std::vector<lm::Message>& messages,
                            const lm::OnText& on_text) = 0;
  // What there is to say about the last answer beside its text; null: nothing.
  virtual Json proof() const { return nullptr; }

 protected:
  GenerationOptions options_;
};

class Responder final : public Answerer {
 public:
  Responder(const GenerationOptions& options, Terminal& terminal);

  const LoadedModel& model() const { return model_; }
  uint64_t seed() const { return seed_; }

  lm::Answer answer(const std::vector<lm::Message>& messages, const lm::OnText& on_text) override;
  // What follows a text, without a template.
  lm::Answer complete(const std::string& text, const lm::OnText& on_text);

 private:
  lm::Answer generate(std::span<const int32_t> prompt, std::vector<int32_t> stop_tokens,
                      const lm::OnText& on_text);

  LoadedModel model_;
  uint64_t seed_;
  uint64_t turns_ = 0;
  std::optional<lm::Generator> generator_;
};

// Writes a piece of an answer to stdout at once. Throws Error{kIo} if nobody reads it.
void write_stdout(std::string_view text);

}  // namespace ffe::cli
