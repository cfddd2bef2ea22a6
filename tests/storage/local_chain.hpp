// A local chain for tests: anvil as a child process, with the devnet's Flow contract on it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "evm/sender.hpp"

namespace ffe::storage::testing {

// A program that ends with its owner.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void kill();
  // Waits for the end; the exit status, or 128 + signal.
  int wait();

 private:
  pid_t pid_ = -1;
};

// Environment FFE_ANVIL, else contracts/node_modules/.bin/anvil; empty if there is none.
std::string find_anvil();
// contracts/out, or environment FFE_CONTRACTS_OUT; empty if the Flow contract is not built.
std::filesystem::path find_flow_artifact();
// What is missing for tests on a chain; empty if nothing is.
std::string missing_tools();

int free_port();

class LocalChain {
 public:
  // `port` 0: a free one.
  explicit LocalChain(int port = 0);

  const std::string& url() const { return url_; }
  int port() const { return port_; }
  evm::RpcClient& rpc() { return *rpc_; }
  evm::Sender& sender() { return *sender_; }
  Address deploy_flow(uint64_t price_per_sector = 1000);
  void stop() { process_.reset(); }

 private:
  int port_;
  std::string url_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<evm::RpcClient> rpc_;
  std::unique_ptr<evm::Sender> sender_;
};

// The first account of anvil, a key known to everyone.
crypto::PrivateKey anvil_key();

}  // namespace ffe::storage::testing
