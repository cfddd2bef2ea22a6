#include "devnet/devnet.hpp"

#include <chrono>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "client/deploy.hpp"
#include "crypto/address.hpp"

namespace ffe::cli {
namespace {

struct Options {
  devnet::DevnetOptions devnet;
  std::vector<std::string> fund;
  AccountOptions account;
  std::string rpc_url;
  std::string treasury;
  std::filesystem::path development_root;
  std::filesystem::path out;
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

// A network file for the other commands. Who runs enclaves there, and which releases clients
// encrypt to, is added by hand.
void write_network_file(const Options& options, const client::Chain& chain,
                        const std::string& rpc_url, const client::Deployment& d) {
  client::Network network;
  network.name = chain.name;
  network.chain_id = chain.id;
  network.rpc_url = rpc_url;
  network.coordinator = d.coordinator;
  network.registry = d.registry;
  network.inft = d.inft;
  network.from_block = d.block;
  network.indexer_url = chain.indexer_url;
  if (!options.development_root.empty()) {
    network.development_root = read_file(options.development_root, 1 << 16);
  }
  client::write_network(options.out, network);
}

void deploy(const Options& options, Terminal& terminal) {
  client::Chain chain = client::find_chain(options.account.network);
  std::string rpc_url = !options.rpc_url.empty() ? options.rpc_url
                        : chain.rpc_url.empty()  ? client::find_network(chain.name).rpc_url
                                                 : chain.rpc_url;
  client::DeployOptions deploy_options;
  deploy_options.chain_id = chain.id;
  deploy_options.treasury = crypto::parse_address(options.treasury);
  if (!options.development_root.empty()) {
    deploy_options.development_root = read_file(options.development_root, 1 << 16);
  }
  deploy_options.on_contract = [&](std::string_view name, const Address& address, bool existed) {
    terminal.step(existed ? "Found" : "Deployed",
                  std::string(name) + " " + crypto::checksum_address(address));
  };
  evm::RpcClient rpc(rpc_url, session::rpc_options());
  evm::Sender sender(rpc, load_key(options.account));
  client::Deployment d = client::deploy(sender, deploy_options);
  if (!options.out.empty()) write_network_file(options, chain, rpc_url, d);
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
  up_command->add_flag("--compute", options->devnet.compute,
                       "0G Compute's contracts and a fine-tuning provider as well");
  up_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { up(*options, t); }; });

  auto* deploy_command = app.add_subcommand("deploy", "Deploy the contracts");
  deploy_command->add_option("--network", options->account.network, "devnet, galileo or aristotle")
      ->required();
  deploy_command->add_option("--rpc-url", options->rpc_url, "Endpoint instead of the usual one");
  deploy_command
      ->add_option("--treasury", options->treasury, "The one slash recipient besides 0x…dEaD")
      ->required();
  deploy_command->add_option("--development-root", options->development_root,
                             "Attestation root (DER) instead of Intel's; devnet only");
  deploy_command->add_option("--out", options->out, "Network file to write");
  deploy_command->add_option("--account", options->account.account,
                             "Account in the keystore (see: ffe key list)");
  deploy_command->add_option("--keystore", options->account.keystore,
                             "A key file instead of --account");
  deploy_command->add_option("--password-file", options->account.password_file,
                             "File with the key's password");
  deploy_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { deploy(*options, t); }; });
}

}  // namespace ffe::cli
