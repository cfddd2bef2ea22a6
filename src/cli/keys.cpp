#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "crypto/address.hpp"
#include "evm/keystore.hpp"

namespace ffe::cli {
namespace {

struct KeyOptions {
  std::string name;
  std::filesystem::path file;
  std::filesystem::path password_file = user_config().password_file;
  bool bare = false;
};

void print_entry(Terminal& terminal, const evm::KeystoreEntry& entry) {
  if (terminal.json()) {
    terminal.result(Json{{"name", entry.name},
                         {"address", crypto::checksum_address(entry.address)},
                         {"path", entry.path.string()}}
                        .dump());
  } else {
    terminal.result(crypto::checksum_address(entry.address));
  }
}

void new_key(const KeyOptions& options, Terminal& terminal) {
  SecretBytes password = read_password(options.password_file, "new password for " + options.name);
  evm::KeystoreEntry entry = evm::Keystore(keystore_dir()).create(options.name, password);
  terminal.step("Created", entry.path.string());
  print_entry(terminal, entry);
}

// The file holds the private key as hexadecimal text; it is read once and not kept.
void import_key(const KeyOptions& options, Terminal& terminal) {
  std::string text = read_text_file(options.file, 4096);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  Bytes secret = from_hex(text);
  wipe(text.data(), text.size());
  crypto::PrivateKey key = crypto::PrivateKey::from(secret);
  wipe(secret.data(), secret.size());
  SecretBytes password = read_password(options.password_file, "new password for " + options.name);
  evm::KeystoreEntry entry = evm::Keystore(keystore_dir()).import(options.name, key, password);
  terminal.step("Imported", entry.path.string());
  print_entry(terminal, entry);
}

// The encrypted key file as it is; the bare key only where it was asked for.
void export_key(const KeyOptions& options, Terminal& terminal) {
  if (std::filesystem::exists(options.file)) {
    throw Error(ErrorCode::kUsage, options.file.string() + " exists already", "name a new file");
  }
  evm::Keystore keystore(keystore_dir());
  const evm::KeystoreEntry entry = keystore.find(options.name);
  if (options.bare) {
    const SecretBytes password =
        read_password(options.password_file, "password of " + options.name);
    const crypto::PrivateKey key = keystore.load(options.name, password);
    std::string text = to_hex0x(key.secret()) + "\n";
    write_file_atomic(options.file, as_bytes(text), 0600);
    wipe(text.data(), text.size());
    terminal.warn(options.file.string() + " holds the bare key: whoever reads it owns the account");
  } else {
    write_file_atomic(options.file, read_file(entry.path, 1 << 20), 0600);
  }
  terminal.step("Exported", options.file.string());
  print_entry(terminal, entry);
}

void list_keys(Terminal& terminal) {
  Json all = Json::array();
  std::string lines;
  for (const evm::KeystoreEntry& e : evm::Keystore(keystore_dir()).list()) {
    std::string address = crypto::checksum_address(e.address);
    all.push_back({{"name", e.name}, {"address", address}, {"path", e.path.string()}});
    lines += (lines.empty() ? "" : "\n") + address + "  " + e.name;
  }
  if (terminal.json()) {
    terminal.result(all.dump());
  } else if (!lines.empty()) {
    terminal.result(lines);
  } else {
    terminal.hint("no accounts yet; make one: ffe key new NAME");
  }
}

}  // namespace

void add_keys(CLI::App& app, Context& context) {
  auto* key = app.add_subcommand("key", "Accounts: Web3 key files, encrypted with a password");
  key->require_subcommand(1);
  auto options = std::make_shared<KeyOptions>();

  auto* create = key->add_subcommand("new", "Make a new account");
  create->add_option("name", options->name, "Name of the account")->required();
  create->add_option("--password-file", options->password_file, "File with the new password");
  create->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { new_key(*options, t); }; });

  auto* import_command = key->add_subcommand("import", "Import a private key from a file");
  import_command->add_option("name", options->name, "Name of the account")->required();
  import_command->add_option("file", options->file, "Hexadecimal private key")->required();
  import_command->add_option("--password-file", options->password_file,
                             "File with the new password");
  import_command->callback([&context, options] {
    context.chosen = [options](Terminal& t) { import_key(*options, t); };
  });

  auto* export_command = key->add_subcommand("export", "Copy an account's key file elsewhere");
  export_command->add_option("name", options->name, "Name of the account")->required();
  export_command->add_option("file", options->file, "File to write; must not exist")->required();
  export_command->add_flag("--private-key", options->bare,
                           "Write the bare key in hex instead of the encrypted file");
  export_command->add_option("--password-file", options->password_file, "File with the password");
  export_command->callback([&context, options] {
    context.chosen = [options](Terminal& t) { export_key(*options, t); };
  });

  auto* list = key->add_subcommand("list", "List the accounts");
  list->callback([&context] { context.chosen = [](Terminal& t) { list_keys(t); }; });
}

}  // namespace ffe::cli
