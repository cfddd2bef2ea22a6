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
  start_enclave();
}

Devnet::~Devnet() {
  stop();
}

void Devnet::stop() {
  while (!processes_.empty()) processes_.pop_back();
}

void Devnet::step(std::string_view what) {
  check_interrupt();
  if (options_.on_step) options_.on_step(what);
}

void Devnet::check() {
  for (Process& p : processes_) {
    if (!p.running()) {
      throw Error(ErrorCode::kFailed, p.name() + " ended by itself\n" + p.log_tail());
    }
  }
}

void Devnet::wait_for(Process& process, const std::string& what, int seconds,
                      const std::function<bool()>& ready) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (true) {
    check_interrupt();
    if (!process.running()) {
      throw Error(ErrorCode::kFailed, what + " did not start\n" + process.log_tail());
    }
    try {
      if (ready()) return;
    } catch (const Error&) {  // not listening yet
    }
    if (std::chrono::steady_clock::now() > end) {
      throw Error(ErrorCode::kFailed, what + " is not ready after " + std::to_string(seconds) +
                                          " seconds\n" + process.log_tail());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

void Devnet::start_chain() {
  int port = free_port(options_.rpc_port);
  step(fmt::format("local chain (anvil, cancun) on port {}", port));
  processes_.emplace_back(
      "anvil",
      std::vector<std::string>{anvil_path(), "--hardfork", "cancun", "--port", std::to_string(port),
                               "--chain-id", std::to_string(kChainId), "--silent"},
      options_.dir / "anvil.log");
  network_.name = "devnet";
  network_.chain_id = kChainId;
  network_.rpc_url = loopback(port);
  rpc_ = std::make_unique<evm::RpcClient>(network_.rpc_url, session::rpc_options());
  wait_for(processes_.back(), "the local chain", 20, [&] { return rpc_->chain_id() == kChainId; });
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
  processes_.emplace_back(
      "storage node",
      std::vector<std::string>{(executable_dir() / "ffe").string(), "storage", "serve", "--dir",
                               (options_.dir / "storage").string(), "--rpc-url", network_.rpc_url,
                               "--flow", to_hex0x(deployment_.flow.bytes), "--port",
                               std::to_string(port)},
      options_.dir / "storage.log");
  network_.storage_nodes = {loopback(port)};
  net::JsonRpcClient node(network_.storage_nodes.front());
  wait_for(processes_.back(), "the storage node", 20,
           [&] { return node.call("zgs_getStatus").is_object(); });
}

void Devnet::start_enclave() {
  int port = free_port(options_.enclave_port);
  step(fmt::format("enclave service on port {} (simulated TDX: no protection)", port));
  fund(operator_key_.address(), evm::parse_ether("1000"));
  fs::path keys = private_dir(options_.dir / "operator");
  FixedBytes<16> random;
  crypto::random_bytes(random.bytes);
  std::string password = to_hex(random.bytes);
  write_file_atomic(keys / "password", as_bytes(password), 0600);
  evm::Keystore(keys).import("operator", operator_key_, SecretBytes(as_bytes(password)),
                             {.n = 4096});
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
  write_file_atomic(options_.dir / "aggregator.toml", as_bytes(config), 0600);
  processes_.emplace_back(
      "ffe-aggregator",
      std::vector<std::string>{(executable_dir() / "ffe-aggregator").string(), "--config",
                               (options_.dir / "aggregator.toml").string()},
      options_.dir / "aggregator.log");
  network_.enclave_urls = {loopback(port)};
  net::HttpClient http;
  wait_for(processes_.back(), "the enclave service", 60, [&] {
    net::HttpRequest request;
    request.url = enclave_url() + "/readyz";
    return http.send(request).ok();
  });
}

void Devnet::fund(const Address& account, const evm::U256& wei) {
  faucet_->send(account, {}, wei);
}

}  // namespace ffe::devnet
