// A local chain in its own process, where anvil is installed, and a node in front of it that can be
// told to misbehave.
#pragma once

#include <chrono>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "crypto/secp256k1.hpp"
#include "evm/rpc.hpp"
#include "evm_test_util.hpp"
#include "net/json_rpc_server.hpp"

namespace ffe::evm::test {

inline std::string find_anvil() {
  if (const char* given = std::getenv("FFE_ANVIL")) return given;
  fs::path modules = fs::path(FFE_SOURCE_DIR) / "contracts" / "node_modules";
  for (const char* place : {".bin/anvil", "@foundry-rs/anvil-linux-amd64/bin/anvil"}) {
    if (access((modules / place).c_str(), X_OK) == 0) return (modules / place).string();
  }
  return "";
}

class Anvil {
 public:
  explicit Anvil(std::vector<std::string> extra = {}) {
    std::vector<std::string> words = {find_anvil(), "--port", "0", "--hardfork", "cancun"};
    words.insert(words.end(), extra.begin(), extra.end());
    fs::path log = dir_.path() / "log";
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      int out = open(log.c_str(), O_CREAT | O_WRONLY, 0600);
      dup2(out, 1);
      dup2(out, 2);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    for (int i = 0; i < 400 && url_.empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
      if (!fs::exists(log)) continue;
      std::string text = read_text_file(log);
      size_t at = text.find("Listening on ");
      size_t end = text.find('\n', at);
      if (at != std::string::npos && end != std::string::npos) {
        url_ = "http://" + text.substr(at + 13, end - at - 13);
      }
    }
    if (url_.empty()) throw Error(ErrorCode::kFailed, "anvil did not start");
  }
  ~Anvil() { stop(); }

  void stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  const std::string& url() const { return url_; }

  // The well-known accounts of anvil's default mnemonic, funded at genesis.
  static crypto::PrivateKey key(int index) {
    constexpr const char* kKeys[] = {
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"};
    return crypto::PrivateKey::from(from_hex(kKeys[index]));
  }

 private:
  TempDir dir_{"ffe-anvil"};
  pid_t pid_ = 0;
  std::string url_;
};

// Passes every call on to `upstream` unless a hook answers it.
class Relay {
 public:
  using Forward = std::function<Json(const Json& params)>;
  using Hook = std::function<Json(const Json& params, const Forward& forward)>;

  explicit Relay(const std::string& upstream, std::map<std::string, Hook> hooks = {})
      : upstream_(upstream), hooks_(std::move(hooks)) {
    for (const char* method :
         {"eth_chainId", "eth_blockNumber", "eth_getBlockByNumber", "eth_getBalance",
          "eth_getTransactionCount", "eth_getCode", "eth_gasPrice", "eth_maxPriorityFeePerGas",
          "eth_call", "eth_estimateGas", "eth_sendRawTransaction", "eth_getTransactionReceipt",
          "eth_getTransactionByHash", "eth_getLogs"}) {
      Forward forward = [this, method](const Json& params) { return pass_on(method, params); };
      rpc_.on(method, [this, method, forward](const Json& params) {
        auto hook = hooks_.find(method);
        return hook == hooks_.end() ? forward(params) : hook->second(params, forward);
      });
    }
    rpc_.attach(server_);
    server_.start();
  }

  std::string url() const { return server_.url(); }

 private:
  Json pass_on(const char* method, const Json& params) {
    try {
      return upstream_.call(method, params);
    } catch (const net::JsonRpcError& e) {
      throw net::RpcFault(static_cast<int>(e.rpc_code), e.rpc_message, e.data);
    }
  }

  net::JsonRpcClient upstream_;
  std::map<std::string, Hook> hooks_;
  net::JsonRpcServer rpc_;
  net::HttpServer server_;
};

}  // namespace ffe::evm::test
