// Which account signs, and where its key file and password come from. Never from flags or the
// environment: a keystore name or path, and a password file or a prompt.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "cli/terminal.hpp"
#include "cli/user_config.hpp"
#include "client/client.hpp"
#include "crypto/secp256k1.hpp"

namespace ffe::cli {

struct AccountOptions {
  std::string network = user_config().network;
  std::string account = user_config().account;
  std::filesystem::path keystore;  // a key file; instead of `account`
  std::filesystem::path password_file = user_config().password_file;
};

void add_account_options(CLI::App& command, AccountOptions& options);
void add_network_option(CLI::App& command, std::string& network);

// Reads the password from its file or, on a terminal, without echo. Throws Error{kKey}.
SecretBytes read_password(const std::filesystem::path& file, const std::string& prompt);

crypto::PrivateKey load_key(const AccountOptions& options);
client::Client open_client(const AccountOptions& options);
// For commands that only read: a throwaway key that signs nothing.
client::Client open_reader(const std::string& network);

std::filesystem::path keystore_dir();

// A transaction as the result of a command.
void print_tx(Terminal& terminal, const evm::Receipt& receipt);

}  // namespace ffe::cli
