#include "cli/sealed.hpp"

#include "cli/step_view.hpp"

namespace ffe::cli {
namespace {

// "17001", or as the model is named: "ffe-17001".
evm::U256 parse_token(const std::string& text) {
  return evm::U256::parse(text.starts_with("ffe-") ? text.substr(4) : text);
}

}  // namespace

SealedModel::SealedModel(const SealedOptions& options, Terminal& terminal, int patience_seconds)
    : client_(open_client(options.account)),
      token_(parse_token(options.token)),
      line_(parts(terminal, patience_seconds)) {}

inference::LineParts SealedModel::parts(Terminal& terminal, int patience_seconds) {
  inference::LineParts out{client_.sender().key(),
                           token_,
                           client_.inft().artifact_root(client_.inft().session_of(token_)),
                           [this, &terminal] { return verify(terminal); },
                           [this] { return model_key(); },
                           [&terminal](const std::string& text) { terminal.step("Sending", text); },
                           patience_seconds};
  return out;
}

void SealedModel::begin() {
  line_.enclave();
  if (client_.inft().token(token_).owner == client_.address()) line_.introduce_users();
}

// The same checks as before a submission; only then is anything sealed.
inference::VerifiedEnclave SealedModel::verify(Terminal& terminal) {
  StepView view(terminal);
  const client::ServiceKeyHolder found = client_.find_inference(token_, view.events());
  return {found.url, {found.key, found.enclave.signer}};
}

std::optional<inference::ModelKey> SealedModel::model_key() {
  if (client_.inft().token(token_).owner != client_.address()) return std::nullopt;
  return inference::ModelKey{client_.model_key(token_), client_.inft().authorized(token_)};
}

}  // namespace ffe::cli
