// ffe authorize, ffe request-key, ffe transfer: what an owner can do with the token of a model.
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/step_view.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

struct Options {
  AccountOptions account;
  std::string token;
  std::string address;
  bool end = false;
  bool without_key = false;
};

// Told before anything is sent.
void require_owner(client::Client& client, const session::TokenView& token) {
  if (token.owner == client.address()) return;
  throw Error(ErrorCode::kKey,
              fmt::format("{} does not own token {}", crypto::checksum_address(client.address()),
                          token.id.to_string()),
              "its owner is " + crypto::checksum_address(token.owner));
}

void print_done(Terminal& terminal, const evm::Receipt& receipt, const evm::U256& token,
                const char* member, const Address& address) {
  const std::string hash = to_hex0x(receipt.tx_hash.bytes);
  terminal.result(terminal.json() ? Json{{"tokenId", token.to_string()},
                                         {member, crypto::checksum_address(address)},
                                         {"txHash", hash},
                                         {"block", receipt.block_number}}
                                        .dump()
                                  : hash);
}

void authorize(const Options& o, Terminal& terminal) {
  client::Client client = open_client(o.account);
  const evm::U256 id = evm::U256::parse(o.token);
  const Address user = crypto::parse_address(o.address);
  require_owner(client, client.inft().token(id));
  const evm::Receipt receipt = client.inft().authorize(client.sender(), id, user, !o.end);
  terminal.step(o.end ? "Ended" : "Authorized",
                fmt::format("{}  {} user(s) of token {}", crypto::checksum_address(user),
                            client.inft().authorized(id).size(), id.to_string()));
  if (!o.end) {
    terminal.hint("tell the enclave, if the model is in use there: ffe chat --sealed " + o.token);
  }
  print_done(terminal, receipt, id, "user", user);
}

// The receiver's part: a request that its seller gives to `transfer`.
void request_key(const Options& o, Terminal& terminal) {
  client::Client client = open_client(o.account);
  const client::KeyRequest request = client.request_key(evm::U256::parse(o.token));
  terminal.hint("give this to the token's owner: ffe transfer " + o.token + " FILE");
  terminal.result(client::to_json(request).dump(terminal.json() ? -1 : 2));
}

evm::Receipt move_alone(const Options& o, client::Client& client, const evm::U256& id,
                        Address& receiver, Terminal& terminal) {
  receiver = crypto::parse_address(o.address);
  const evm::Receipt receipt = client.inft().transfer(client.sender(), id, receiver);
  terminal.warn("the key did not move: the new owner cannot open the model");
  return receipt;
}

evm::Receipt move_with_key(const Options& o, client::Client& client, const evm::U256& id,
                           Address& receiver, Terminal& terminal) {
  if (o.address.starts_with("0x")) {
    throw Error(ErrorCode::kUsage,
                "to seal the model's key for its new owner takes that owner's key request",
                "they make one: ffe request-key " + o.token +
                    " > FILE; --without-key moves the token alone");
  }
  const client::KeyRequest request =
      client::key_request_from_json(parse_json(read_text_file(o.address, 1 << 16), o.address));
  receiver = request.receiver;
  StepView view(terminal);
  return client.transfer(id, request, view.events());
}

void transfer(const Options& o, Terminal& terminal) {
  client::Client client = open_client(o.account);
  const evm::U256 id = evm::U256::parse(o.token);
  require_owner(client, client.inft().token(id));
  Address receiver;
  const evm::Receipt receipt = o.without_key ? move_alone(o, client, id, receiver, terminal)
                                             : move_with_key(o, client, id, receiver, terminal);
  terminal.step("Moved", fmt::format("token {} to {}; who opened the model before may keep a copy",
                                     id.to_string(), crypto::checksum_address(receiver)));
  print_done(terminal, receipt, id, "owner", receiver);
}

}  // namespace

void add_token(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  auto* authorize_command =
      app.add_subcommand("authorize", "Let somebody use a model through sealed inference");
  authorize_command->add_option("token", o->token, "Number of your token")->required();
  authorize_command->add_option("user", o->address, "Address of the user")->required();
  authorize_command->add_flag("--end", o->end, "No longer");
  add_account_options(*authorize_command, o->account);
  authorize_command->footer("ffe authorize 17001 0x83A563BAe348f960CEB08fF685Df0668fd390D70");
  authorize_command->callback(
      [&context, o] { context.chosen = [o](Terminal& t) { authorize(*o, t); }; });

  auto* request_command =
      app.add_subcommand("request-key", "Ask for a token with its key: for who shall own it next");
  request_command->add_option("token", o->token, "Number of the token")->required();
  add_account_options(*request_command, o->account);
  request_command->footer("ffe request-key 17001 --account carol > request.json");
  request_command->callback(
      [&context, o] { context.chosen = [o](Terminal& t) { request_key(*o, t); }; });

  auto* transfer_command = app.add_subcommand("transfer", "Give a model's token to somebody else");
  transfer_command->add_option("token", o->token, "Number of your token")->required();
  transfer_command
      ->add_option("to", o->address, "The new owner's key request (a file), or an address")
      ->required();
  transfer_command->add_flag("--without-key", o->without_key,
                             "The token alone; the new owner cannot open the model");
  add_account_options(*transfer_command, o->account);
  transfer_command->footer(
      "ffe transfer 17001 request.json\nffe transfer 17001 0x83A5… --without-key");
  transfer_command->callback(
      [&context, o] { context.chosen = [o](Terminal& t) { transfer(*o, t); }; });
}

}  // namespace ffe::cli
