#include "devnet/devnet.hpp"

#include <chrono>
#include <csignal>
#include <fmt/format.h>
#include <optional>
#include <thread>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "client/deploy.hpp"
#include "crypto/address.hpp"
#include "net/http_client.hpp"
#include "net/json_rpc.hpp"

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

namespace fs = std::filesystem;

fs::path process_file() {
  return client::devnet_network_file().parent_path() / "pid";
}

// The process that runs the local network; nothing if none does. A number that another program got
// in the meantime is not taken for it.
std::optional<pid_t> devnet_process() {
  std::error_code ec;
  if (!fs::exists(process_file(), ec)) return std::nullopt;
  const std::string text = read_text_file(process_file(), 64);
  const int pid = std::atoi(text.c_str());
  const fs::path exe = fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", ec);
  if (pid <= 1 || ec || !exe.filename().string().starts_with("ffe")) return std::nullopt;
  return pid;
}

[[noreturn]] void refuse_without_devnet() {
  throw Error(ErrorCode::kUsage, "no devnet is running", "start one: ffe devnet up");
}

void down(const Options&, Terminal& terminal) {
  const std::optional<pid_t> pid = devnet_process();
  if (!pid) refuse_without_devnet();
  kill(*pid, SIGTERM);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (devnet_process()) {
    check_interrupt();
    if (std::chrono::steady_clock::now() > end) {
      throw Error(ErrorCode::kFailed,
                  "the devnet (process " + std::to_string(*pid) + ") does not end");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  terminal.step("Ended", "the local network, and everything on it");
  terminal.result(terminal.json() ? Json{{"process", *pid}}.dump() : std::to_string(*pid));
}

// What one part answers; "ok" or what is wrong.
std::string part_state(const std::function<void()>& ask) {
  try {
    ask();
    return "ok";
  } catch (const Error& e) {
    return e.what();
  }
}

void show_status(const Options&, Terminal& terminal) {
  const std::optional<pid_t> pid = devnet_process();
  if (!pid) refuse_without_devnet();
  const client::Network network = client::read_network(client::devnet_network_file());
  net::HttpRequest ready;
  ready.url = network.enclave_urls.front() + "/readyz";
  const std::tuple<const char*, std::string, std::string> parts[] = {
      {"chain", network.rpc_url,
       part_state([&] { evm::RpcClient(network.rpc_url).block_number(); })},
      {"storage", network.storage_nodes.front(), part_state([&] {
         net::JsonRpcClient(network.storage_nodes.front()).call("zgs_getStatus");
       })},
      {"enclave", network.enclave_urls.front(), part_state([&] {
         if (!net::HttpClient().send(ready).ok()) {
           throw Error(ErrorCode::kNetwork, "not registered yet");
         }
       })}};
  Json out = {{"process", *pid},
              {"networkFile", client::devnet_network_file().string()},
              {"parts", Json::array()}};
  std::string text =
      fmt::format("process  {}\nfile     {}", *pid, client::devnet_network_file().string());
  for (const auto& [name, url, state] : parts) {
    out["parts"].push_back({{"name", name}, {"url", url}, {"state", state}});
    text += fmt::format("\n{:<8} {}  {}", name, url, state);
  }
  terminal.result(terminal.json() ? out.dump() : text);
}

void up(Options options, Terminal& terminal) {
  fs::path file = client::devnet_network_file();
  if (const auto pid = devnet_process()) {
    throw Error(ErrorCode::kUsage, "a devnet runs already, as process " + std::to_string(*pid),
                "ffe devnet status shows it, ffe devnet down ends it");
  }
  options.devnet.on_step = [&](std::string_view what) { terminal.step("Starting", what); };
  TempDir dir("ffe-devnet");
  options.devnet.dir = dir.path();
  devnet::Devnet net(options.devnet);
  for (const std::string& account : options.fund) {
    net.fund(address_from_hex(account), evm::parse_ether("100"));
  }
  fs::create_directories(file.parent_path());
  client::write_network(file, net.network());
  write_file_atomic(process_file(), as_bytes(std::to_string(getpid())));
  terminal.step("Ready", "Ctrl-C ends it");
  terminal.result(terminal.json() ? Json{{"networkFile", file.string()}}.dump() : file.string());
  // Gone with the network, however it ends.
  struct Remover {
    ~Remover() {
      std::error_code ec;
      fs::remove(client::devnet_network_file(), ec);
      fs::remove(process_file(), ec);
    }
  } remover;
  while (!interrupted()) {
    net.check();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
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
  up_command->add_option("--model-name", options->devnet.model_name, "What its manifest calls it");
  up_command->add_option("--threads", options->devnet.threads, "Cores of the enclave (0: all)");
  up_command->add_option("--rpc-port", options->devnet.rpc_port,
                         "Port of the chain (default: any free one)");
  up_command->add_option("--storage-port", options->devnet.storage_port,
                         "Port of the storage node");
  up_command->add_option("--enclave-port", options->devnet.enclave_port,
                         "Port of the enclave service");
  up_command->add_option("--fund", options->fund, "Accounts that get 100 tokens");
  up_command->add_flag("--compute", options->devnet.compute,
                       "0G Compute's contracts and a fine-tuning provider as well");
  up_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { up(*options, t); }; });

  devnet->add_subcommand("status", "Whether it runs, and where its parts listen")
      ->callback([&context, options] {
        context.chosen = [options](Terminal& t) { show_status(*options, t); };
      });
  devnet->add_subcommand("down", "End it, and everything on it")->callback([&context, options] {
    context.chosen = [options](Terminal& t) { down(*options, t); };
  });

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
