#include "storage/local_chain.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"

namespace ffe::storage::testing {
namespace fs = std::filesystem;

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ < 0) throw Error(ErrorCode::kFailed, "fork failed");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(null, 1);
  ::execvp(argv[0], argv.data());
  ::_exit(127);
}

Process::~Process() {
  kill();
}

void Process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

int Process::wait() {
  if (pid_ <= 0) return -1;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string find_anvil() {
  if (const char* named = std::getenv("FFE_ANVIL"); named != nullptr) return named;
  const fs::path path = fs::path(FFE_SOURCE_DIR) / "contracts/node_modules/.bin/anvil";
  return fs::exists(path) ? path.string() : std::string();
}

fs::path find_flow_artifact() {
  const char* named = std::getenv("FFE_CONTRACTS_OUT");
  const fs::path out =
      named != nullptr ? fs::path(named) : fs::path(FFE_SOURCE_DIR) / "contracts/out";
  const fs::path artifact = out / "ZeroGFlow.sol/ZeroGFlow.json";
  return fs::exists(artifact) ? artifact : fs::path();
}

std::string missing_tools() {
  if (find_anvil().empty()) return "anvil is not installed (contracts: npm ci, or FFE_ANVIL)";
  if (find_flow_artifact().empty()) return "contracts/out has no ZeroGFlow (forge build)";
  return {};
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool ok = ::bind(fd, any, size) == 0 && ::getsockname(fd, any, &size) == 0;
  ::close(fd);
  if (!ok) throw Error(ErrorCode::kFailed, "no free port");
  return ntohs(address.sin_port);
}

crypto::PrivateKey anvil_key() {
  return crypto::PrivateKey::from(
      from_hex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"));
}

LocalChain::LocalChain(int port)
    : port_(port != 0 ? port : free_port()), url_("http://127.0.0.1:" + std::to_string(port_)) {
  process_ = std::make_unique<Process>(
      std::vector<std::string>{find_anvil(), "--port", std::to_string(port_), "--silent"});
  rpc_ = std::make_unique<evm::RpcClient>(url_);
  for (int i = 0;; ++i) {
    try {
      rpc_->block_number();
      break;
    } catch (const Error&) {
      if (i == 200) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  evm::SenderOptions options;
  options.wait.poll = std::chrono::milliseconds(20);
  sender_ = std::make_unique<evm::Sender>(*rpc_, anvil_key(), options);
}

Address LocalChain::deploy_flow(uint64_t price_per_sector) {
  const Json artifact = parse_json(read_text_file(find_flow_artifact()), "ZeroGFlow.json");
  const Bytes code = evm::creation_code(artifact, {evm::Value(price_per_sector)});
  return *sender_->deploy(code).contract_address;
}

}  // namespace ffe::storage::testing
