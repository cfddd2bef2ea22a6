#include <fmt/format.h>

#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

struct Options {
  AccountOptions account;
  std::string amount;
  std::string address;
  std::string enclave;
  bool end = false;
};

Address address_or(const std::string& text, const Address& otherwise) {
  return text.empty() ? otherwise : crypto::parse_address(text);
}

void show(const Options& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  session::Coordinator::Bond bond =
      client.coordinator().bond(crypto::parse_address(options.address));
  if (terminal.json()) {
    terminal.result(
        Json{{"totalWei", bond.total.to_string()}, {"lockedWei", bond.locked.to_string()}}.dump());
  } else {
    terminal.result(fmt::format("total   {} 0G\nlocked  {} 0G\nfree    {} 0G",
                                evm::format_ether(bond.total), evm::format_ether(bond.locked),
                                evm::format_ether(bond.total - bond.locked)));
  }
}

void deposit(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  Address payee = address_or(options.address, client.address());
  print_tx(terminal, client.coordinator().deposit_bond(client.sender(), payee,
                                                       evm::parse_ether(options.amount)));
}

void withdraw(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  Address to = address_or(options.address, client.address());
  print_tx(terminal, client.coordinator().withdraw_bond(client.sender(),
                                                        evm::parse_ether(options.amount), to));
}

void back(const Options& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  print_tx(terminal, client.coordinator().back_enclave(
                         client.sender(), h256_from_hex(options.enclave), !options.end));
}

}  // namespace

void add_bond(CLI::App& app, Context& context) {
  auto* bond = app.add_subcommand("bond", "Operator: the bond, and whose sessions may lock it");
  bond->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*run)(const Options&, Terminal&)) {
    auto* command = bond->add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  auto* show_command = add("show", "A payee's funds in the contract", show);
  show_command->add_option("payee", options->address, "Address of the operator's payee")
      ->required();
  add_network_option(*show_command, options->account.network);

  auto* deposit_command = add("deposit", "Add to a payee's free bond", deposit);
  deposit_command->add_option("amount", options->amount, "In 0G")->required();
  deposit_command->add_option("--payee", options->address, "Somebody else than this account");
  add_account_options(*deposit_command, options->account);

  auto* withdraw_command = add("withdraw", "Take free bond and earned fees out", withdraw);
  withdraw_command->add_option("amount", options->amount, "In 0G")->required();
  withdraw_command->add_option("--to", options->address, "Somebody else than this account");
  add_account_options(*withdraw_command, options->account);

  auto* back_command =
      add("back", "Payee: let sessions of this enclave lock this account's bond", back);
  back_command->add_option("enclave", options->enclave, "Its id, 32 bytes in hex")->required();
  back_command->add_flag("--end", options->end, "Not for further sessions");
  add_account_options(*back_command, options->account);
}

}  // namespace ffe::cli
