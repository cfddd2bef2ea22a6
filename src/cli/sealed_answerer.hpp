// A model in its enclave as `ffe chat` talks with it.
#pragma once

#include "cli/generation.hpp"
#include "cli/sealed.hpp"

namespace ffe::cli {

class SealedAnswerer final : public Answerer {
 public:
  // Verifies the enclave at once.
  SealedAnswerer(const SealedOptions& sealed, const GenerationOptions& options, Terminal& terminal);

  // Text is shown as it comes: each piece is known to be the enclave's. Throws Error{kCorrupt} if
  // the whole is not.
  lm::Answer answer(const std::vector<lm::Message>& messages, const lm::OnText& on_text) override;
  Json proof() const override;

 private:
  Json request(const std::vector<lm::Message>& messages) const;

  SealedModel model_;
  inference::AnswerProof proof_;
};

}  // namespace ffe::cli
