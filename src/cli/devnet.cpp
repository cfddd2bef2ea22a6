#include "devnet/devnet.hpp"

#include <chrono>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "client/deploy.hpp"

namespace ffe::cli {
namespace {

struct Options {
  devnet::DevnetOptions devnet;
  std::vector<std::string> fund;
  AccountOptions account;
  std::string rpc_url;
  std::string treasury;
};

void up(Options options, Terminal& terminal) {
  std::filesystem::path file = client::devnet_network_file();
  options.devnet.on_step = [&](std::string_view what) { terminal.step("Starting", what); };
  TempDir dir("ffe-devnet");
  options.devnet.dir = dir.path();
  devnet::Devnet net(options.devnet);
  for (const std::string& account : options.fund) {
    net.fund(address_from_hex(account), evm::parse_ether("100"));
  }
  std::filesystem::create_directories(file.parent_path());
  client::write_network(file, net.network());
  terminal.step("Ready", "Ctrl-C ends it");
  terminal.result(file.string());
  while (!interrupted()) {
    net.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  std::filesystem::remove(file);
}

void deploy(const Options& options, Terminal& terminal) {
  evm::RpcClient rpc(options.rpc_url, session::rpc_options());
  evm::Sender sender(rpc, load_key(options.account));
  client::DeployOptions deploy_options;
  deploy_options.treasury = address_from_hex(options.treasury);
  client::Deployment d = client::deploy(sender, deploy_options);
  terminal.result(client::to_json(d).dump(terminal.json() ? -1 : 2));
}

}  // namespace

void add_devnet(CLI::App& app, Context& context) {
  auto* devnet = app.add_subcommand("devnet", "A whole network on this machine");
  devnet->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* up_command = devnet->add_subcommand("up", "Start it; runs until Ctrl-C");
  up_command->add_option("--model", options->devnet.model, "Base model of the enclave");
  up_command->add_option("--rpc-port", options->devnet.rpc_port);
  up_command->add_option("--storage-port", options->devnet.storage_port);
  up_command->add_option("--enclave-port", options->devnet.enclave_port);
  up_command->add_option("--fund", options->fund, "Accounts that get 100 tokens");
  up_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { up(*options, t); }; });

  auto* deploy_command = app.add_subcommand("deploy", "Deploy the contracts");
  deploy_command->add_option("--rpc-url", options->rpc_url)->required();
  deploy_command
      ->add_option("--treasury", options->treasury, "The one slash recipient besides 0x…dEaD")
      ->required();
  deploy_command->add_option("--account", options->account.account);
  deploy_command->add_option("--keystore", options->account.keystore);
  deploy_command->add_option("--password-file", options->account.password_file);
  deploy_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { deploy(*options, t); }; });
}

}  // namespace ffe::cli
