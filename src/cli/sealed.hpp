// What `ffe chat --sealed` and `ffe proxy` have in common: a line to an enclave that serves the
// model of a token.
#pragma once

#include <string>

#include "cli/account.hpp"
#include "inference/enclave_line.hpp"

namespace ffe::cli {

struct SealedOptions {
  std::string token;
  AccountOptions account;
};

class SealedModel {
 public:
  // Opens the account; throws Error{kChain} if the token does not exist. `patience_seconds`: how
  // long a busy enclave is waited for.
  SealedModel(const SealedOptions& options, Terminal& terminal, int patience_seconds);
  SealedModel(const SealedModel&) = delete;  // the line refers to the account's key
  SealedModel& operator=(const SealedModel&) = delete;

  inference::EnclaveLine& line() { return line_; }
  // Verifies the enclave, and tells it whom its owner, if it is this account, authorised.
  void begin();
  const Address& user() const { return client_.address(); }

 private:
  inference::LineParts parts(Terminal& terminal, int patience_seconds);
  inference::VerifiedEnclave verify(Terminal& terminal);
  std::optional<inference::ModelKey> model_key();

  client::Client client_;
  evm::U256 token_;
  inference::EnclaveLine line_;
};

}  // namespace ffe::cli
