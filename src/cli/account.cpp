#include "cli/account.hpp"

#include <cstdio>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/ask.hpp"
#include "evm/keystore.hpp"

namespace ffe::cli {

namespace fs = std::filesystem;

void add_network_option(CLI::App& command, std::string& network) {
  command.add_option("--network", network, "Network name or file (default: devnet)");
}

void add_account_options(CLI::App& command, AccountOptions& options) {
  add_network_option(command, options.network);
  command.add_option("--account", options.account, "Account in the keystore (see: ffe key list)");
  command.add_option("--keystore", options.keystore, "A key file instead of --account");
  command.add_option("--password-file", options.password_file, "File with the key's password");
}

fs::path keystore_dir() {
  return config_dir() / "keystore";
}

SecretBytes read_password(const fs::path& file, const std::string& prompt) {
  if (!file.empty()) return evm::read_password_file(file);
  if (!may_ask()) {
    throw Error(ErrorCode::kKey, "no password: there is no terminal to ask on",
                "give --password-file FILE");
  }
  std::fprintf(stderr, "%s: ", prompt.c_str());
  termios before{};
  tcgetattr(STDIN_FILENO, &before);
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  SecretBytes line(4096);
  size_t n = 0;
  uint8_t c = 0;
  // A signal between the prompt and the read would have to wait for a key: so nothing blocks.
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (n < line.size() && !interrupted()) {
    if (poll(&input, 1, 50) == 0) continue;
    if (interrupted() || read(STDIN_FILENO, &c, 1) != 1 || c == '\n') break;
    line.data()[n++] = c;
  }
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::fputc('\n', stderr);
  check_interrupt();  // Ctrl-C at the prompt is no empty password
  return SecretBytes(line.view().first(n));
}

crypto::PrivateKey load_key(const AccountOptions& options) {
  if (!options.keystore.empty()) {
    return evm::load_key_file(
        options.keystore,
        read_password(options.password_file, "password of " + options.keystore.string()));
  }
  evm::Keystore keystore(keystore_dir());
  std::string name = options.account;
  if (name.empty()) {
    std::vector<evm::KeystoreEntry> all = keystore.list();
    if (all.size() != 1) {
      throw Error(ErrorCode::kKey,
                  all.empty() ? "there is no account yet" : "which account? there are several",
                  all.empty() ? "make one: ffe key new NAME" : "name it: --account NAME");
    }
    name = all.front().name;
  }
  keystore.find(name);  // a wrong name is told before a password is asked for
  return keystore.load(name, read_password(options.password_file, "password of " + name));
}

client::Client open_client(const AccountOptions& options) {
  client::Network network = client::find_network(options.network);
  return {std::move(network), load_key(options)};
}

client::Client open_reader(const std::string& network) {
  return {client::find_network(network), crypto::PrivateKey::generate()};
}

void print_tx(Terminal& terminal, const evm::Receipt& receipt) {
  std::string hash = to_hex0x(receipt.tx_hash.bytes);
  terminal.result(terminal.json() ? Json{{"txHash", hash}, {"block", receipt.block_number}}.dump()
                                  : hash);
}

}  // namespace ffe::cli
