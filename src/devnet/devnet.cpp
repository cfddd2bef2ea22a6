#include "devnet/devnet.hpp"

#include <arpa/inet.h>
#include <chrono>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "client/artifacts.hpp"
#include "compute/inference_chain.hpp"
#include "compute/local_network.hpp"
#include "crypto/random.hpp"
#include "evm/keystore.hpp"
#include "lm/weights.hpp"
#include "net/http_client.hpp"
#include "session/chain.hpp"
#include "tee/simulated.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;

// Account 0 of anvil's well-known test mnemonic: public knowledge, worthless anywhere else.
constexpr const char* kFaucetKey =
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
constexpr uint64_t kChainId = 31337;

// A port that was free a moment ago, or the one that the user asked for if it is free.
int free_port(int wanted) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(wanted));
  socklen_t size = sizeof address;
  bool ok = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!ok) {
    throw Error(ErrorCode::kIo, fmt::format("port {} is in use", wanted),
                "choose another port, or end what is listening there");
  }
  return ntohs(address.sin_port);
}

std::string loopback(int port) {
  return fmt::format("http://127.0.0.1:{}", port);
}

fs::path executable_dir() {
  return fs::read_symlink("/proc/self/exe").parent_path();
}

std::string anvil_path() {
  fs::path ours = client::share_dir() / "tools" / "anvil";
  return fs::exists(ours) ? ours.string() : "anvil";
}

fs::path private_dir(const fs::path& dir) {
  fs::create_directories(dir);
  fs::permissions(dir, fs::perms::owner_all);
  return dir;
}

}  // namespace

Devnet::Devnet(DevnetOptions options)
    : options_(std::move(options)), operator_key_(crypto::PrivateKey::generate()) {
  options_.dir = fs::absolute(options_.dir);
  private_dir(options_.dir);
  if (options_.model.empty()) options_.model = lm::default_model_path();
  if (options_.model.empty() || !fs::exists(options_.model)) {
    throw Error(ErrorCode::kIo, "the base model is not on this machine", "fetch it: make model");
  }
  start_chain();
  deploy_contracts();
  start_storage();
  if (options_.compute) deploy_compute();
  start_enclave();
  if (options_.compute) start_compute();
}

Devnet::~Devnet() {
  stop();
}

void Devnet::stop() {
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part) part->second.process.reset();
}

void Devnet::step(std::string_view what) {
  check_interrupt();
  if (options_.on_step) options_.on_step(what);
}

void Devnet::check() {
  for (auto& [part, p] : parts_) {
    if (p.process && !p.process->running()) {
      throw Error(ErrorCode::kFailed, p.name + " ended by itself\n" + p.process->log_tail());
    }
  }
}

bool Devnet::running(Part part) {
  Running& p = parts_.at(part);
  return p.process && p.process->running();
}

pid_t Devnet::pid(Part part) const {
  return parts_.at(part).process->pid();
}

void Devnet::kill(Part part, int signal) {
  if (signal != SIGTERM && running(part)) ::kill(parts_.at(part).process->pid(), signal);
  parts_.at(part).process.reset();  // with SIGTERM, and some patience
}

void Devnet::launch(Part part, const std::vector<std::string>& before,
                    const std::vector<std::string>& behind) {
  Running& p = parts_.at(part);
  std::vector<std::string> words = before;
  words.insert(words.end(), p.command.begin(), p.command.end());
  words.insert(words.end(), behind.begin(), behind.end());
  p.process = std::make_unique<Process>(p.name, words, p.log);
}

void Devnet::start(Part part) {
  launch(part, {});
  wait_for(parts_.at(part));
}

void Devnet::wait_for(Running& part) {
  constexpr int kSeconds = 60;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kSeconds);
  while (true) {
    check_interrupt();
    if (!part.process->running()) {
      throw Error(ErrorCode::kFailed, part.name + " did not start\n" + part.process->log_tail());
    }
    try {
      if (part.ready()) return;
    } catch (const Error&) {  // not listening yet
    }
    if (std::chrono::steady_clock::now() > end) {
      throw Error(ErrorCode::kFailed, part.name + " is not ready after " +
                                          std::to_string(kSeconds) + " seconds\n" +
                                          part.process->log_tail());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void Devnet::start_chain() {
  int port = free_port(options_.rpc_port);
  step(fmt::format("local chain (anvil, cancun) on port {}", port));
  network_.name = "devnet";
  network_.chain_id = kChainId;
  network_.rpc_url = loopback(port);
  rpc_ = std::make_unique<evm::RpcClient>(network_.rpc_url, session::rpc_options());
  std::vector<std::string> command = {anvil_path(),
                                      "--hardfork",
                                      "cancun",
                                      "--port",
                                      std::to_string(port),
                                      "--chain-id",
                                      std::to_string(kChainId),
                                      "--silent"};
  command.insert(command.end(), options_.chain_arguments.begin(), options_.chain_arguments.end());
  parts_[Part::kChain] = {"the local chain", command, options_.dir / "anvil.log",
                          [&] { return rpc_->raw("eth_chainId").is_string(); }, nullptr};
  start(Part::kChain);
  faucet_ = std::make_unique<evm::Sender>(*rpc_, crypto::PrivateKey::from(from_hex(kFaucetKey)));
}

void Devnet::deploy_contracts() {
  step("contracts, with a development attestation root");
  auto platform = tee::SimulatedPlatform::create(options_.dir / "platform",
                                                 executable_dir() / "ffe-aggregator");
  client::DeployOptions deploy_options;
  deploy_options.chain_id = kChainId;
  deploy_options.development_root = platform.root_der();
  deploy_options.treasury = faucet_->address();
  deploy_options.with_flow = true;
  deployment_ = client::deploy(*faucet_, deploy_options);
  network_.coordinator = deployment_.coordinator;
  network_.registry = deployment_.registry;
  network_.inft = deployment_.inft;
  network_.from_block = deployment_.block;
  network_.development_root = platform.root_der();
  network_.releases = {platform.code_hash()};
}

void Devnet::start_storage() {
  int port = free_port(options_.storage_port);
  step(fmt::format("0G Storage node on port {}", port));
  network_.storage_nodes = {loopback(port)};
  parts_[Part::kStorage] = {
      "the storage node",
      {(executable_dir() / "ffe").string(), "storage", "serve", "--dir",
       (options_.dir / "storage").string(), "--rpc-url", network_.rpc_url, "--flow",
       to_hex0x(deployment_.flow.bytes), "--port", std::to_string(port)},
      options_.dir / "storage.log",
      [&] {
        return net::JsonRpcClient(network_.storage_nodes.front()).call("zgs_getStatus").is_object();
      },
      nullptr};
  start(Part::kStorage);
}

void Devnet::start_enclave() {
  int port = free_port(options_.enclave_port);
  step(fmt::format("enclave service on port {} (simulated TDX: no protection)", port));
  network_.enclave_urls = {loopback(port)};
  fund(operator_key_.address(), evm::parse_ether("1000"));
  parts_[Part::kEnclave] = {
      "the enclave service",
      {(executable_dir() / "ffe-aggregator").string(), "--config", write_enclave_config(port)},
      options_.dir / "aggregator.log",
      [&] {
        net::HttpRequest request;
        request.url = enclave_url() + "/readyz";
        return net::HttpClient().send(request).ok();
      },
      nullptr};
  start(Part::kEnclave);
}

std::string Devnet::write_enclave_config(int port) {
  fs::path keys = options_.dir / "operator";
  write_account(keys, "operator", operator_key_);
  // JSON strings are TOML basic strings: paths may hold anything.
  auto quoted = [](const std::string& text) { return Json(text).dump(); };
  std::string config = fmt::format(
      "[service]\ndata_dir = {}\nport = {}\n\n[chain]\nrpc_url = {}\ncoordinator = {}\n"
      "registry = {}\npoll_ms = 200\n\n[storage]\nnodes = [{}]\n\n[model]\npath = {}\nname = {}\n"
      "threads = {}\n\n[enclave]\nprovider = \"simulator\"\nsimulator_dir = {}\n\n[operator]\n"
      "payee = {}\nkeystore = {}\npassword_file = {}\n",
      quoted((options_.dir / "enclave").string()), port, quoted(network_.rpc_url),
      quoted(to_hex0x(network_.coordinator.bytes)), quoted(to_hex0x(network_.registry.bytes)),
      quoted(network_.storage_nodes.front()), quoted(fs::absolute(options_.model).string()),
      quoted(options_.model_name), options_.threads, quoted((options_.dir / "platform").string()),
      quoted(to_hex0x(operator_key_.address().bytes)), quoted((keys / "operator.json").string()),
      quoted((keys / "password").string()));
  if (options_.compute) {
    config += fmt::format("\n[compute]\nledger = {}\nfine_tuning = {}\npoll_seconds = 1\n",
                          quoted(to_hex0x(network_.compute_ledger.bytes)),
                          quoted(to_hex0x(network_.compute_fine_tuning.bytes)));
  }
  config += "\n" + options_.enclave_settings;
  if (config.find("[inference]") == config.npos) config += "\n[inference]\nenabled = true\n";
  fs::path file = options_.dir / "aggregator.toml";
  write_file_atomic(file, as_bytes(config), 0600);
  return file.string();
}

// A key file and its password file, for a process of ours.
void Devnet::write_account(const fs::path& folder, const std::string& name,
                           const crypto::PrivateKey& key) {
  private_dir(folder);
  FixedBytes<16> random;
  crypto::random_bytes(random.bytes);
  std::string password = to_hex(random.bytes);
  write_file_atomic(folder / "password", as_bytes(password), 0600);
  evm::Keystore(folder).import(name, key, SecretBytes(as_bytes(password)), {.n = 4096});
}

void Devnet::deploy_compute() {
  step("0G Compute's contracts");
  const compute::Contracts contracts =
      compute::deploy_contracts(*faucet_, client::contract_artifact("LedgerManager"),
                                client::contract_artifact("FineTuningServing"));
  network_.compute_ledger = contracts.ledger;
  network_.compute_fine_tuning = contracts.fine_tuning;
  network_.compute_inference = compute::deploy_inference(
      *faucet_, client::contract_artifact("InferenceServing"), contracts.ledger);
}

void Devnet::start_compute() {
  step("a provider of 0G Compute, fine-tuning and inference (mock TEE: no protection)");
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  fund(key.address(), evm::parse_ether("1000"));
  fs::path folder = options_.dir / "provider";
  write_account(folder, "provider", key);
  fs::path network_file = folder / "network.json";
  client::write_network(network_file, network_);
  Address provider = key.address(), serving = network_.compute_fine_tuning;
  provider_ = provider;
  parts_[Part::kCompute] = {
      "the fine-tuning provider",
      {(executable_dir() / "ffe").string(), "compute", "serve", "--dir", (folder / "data").string(),
       "--model", fs::absolute(options_.model).string(), "--network", network_file.string(),
       "--keystore", (folder / "provider.json").string(), "--password-file",
       (folder / "password").string(), "--poll-ms", std::to_string(options_.provider_poll_ms)},
      options_.dir / "provider.log",
      [this, provider, serving] {
        return compute::FineTuningServing(*rpc_, serving).service(provider).has_value();
      },
      nullptr};
  std::vector<std::string>& command = parts_[Part::kCompute].command;
  command.insert(command.end(), options_.provider_arguments.begin(),
                 options_.provider_arguments.end());
  start(Part::kCompute);
  compute::FineTuningServing(*rpc_, serving).acknowledge_signer_by_owner(*faucet_, provider);
  compute::InferenceServing(*rpc_, network_.compute_inference)
      .acknowledge_signer_by_owner(*faucet_, provider);
}

void Devnet::fund(const Address& account, const evm::U256& wei) {
  faucet_->send(account, {}, wei);
}

}  // namespace ffe::devnet
