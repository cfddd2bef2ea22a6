// A whole FFE network on one machine: anvil, the contracts, a 0G Storage node and an enclave
// service on a simulated platform, each a process of its own on loopback.
#pragma once

#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "client/deploy.hpp"
#include "client/network.hpp"
#include "devnet/process.hpp"
#include "evm/sender.hpp"

namespace ffe::devnet {

struct DevnetOptions {
  std::filesystem::path dir;    // made if absent; holds logs, keys and data
  std::filesystem::path model;  // base model of the enclave; empty: the default one
  std::string model_name = "SmolLM2-135M-Instruct Q4_1";
  int rpc_port = 0;  // 0: any free one
  int storage_port = 0;
  int enclave_port = 0;
  int threads = 0;  // of the enclave; 0: all cores
  // Told what is being started.
  std::function<void(std::string_view what)> on_step;
};

// Every process ends with this object, with Ctrl-C, and when this process dies.
class Devnet {
 public:
  // Throws Error naming the part that did not start, with the end of its log.
  explicit Devnet(DevnetOptions options);
  ~Devnet();
  Devnet(const Devnet&) = delete;
  Devnet& operator=(const Devnet&) = delete;

  const client::Network& network() const { return network_; }
  const client::Deployment& deployment() const { return deployment_; }
  const std::string& enclave_url() const { return network_.enclave_urls.front(); }
  const crypto::PrivateKey& operator_key() const { return operator_key_; }

  // Native tokens out of anvil's first account, whose key is public knowledge.
  void fund(const Address& account, const evm::U256& wei);
  evm::RpcClient& rpc() { return *rpc_; }

  // Throws Error naming a process that ended by itself.
  void check();
  // Ends everything, last started first.
  void stop();

 private:
  void step(std::string_view what);
  void start_chain();
  void deploy_contracts();
  void start_storage();
  void start_enclave();
  void wait_for(Process& process, const std::string& what, int seconds,
                const std::function<bool()>& ready);

  DevnetOptions options_;
  client::Network network_;
  client::Deployment deployment_;
  crypto::PrivateKey operator_key_;
  std::unique_ptr<evm::RpcClient> rpc_;
  std::unique_ptr<evm::Sender> faucet_;
  std::list<Process> processes_;
};

}  // namespace ffe::devnet
