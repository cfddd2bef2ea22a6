// A whole FFE network on one machine: anvil, the contracts, a 0G Storage node and an enclave
// service on a simulated platform, each a process of its own on loopback.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <signal.h>
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
  int threads = 0;                           // of the enclave; 0: all cores
  std::vector<std::string> chain_arguments;  // further ones for anvil
  std::string enclave_settings;              // further tables of the service's configuration
  bool compute = false;              // 0G Compute's contracts and a fine-tuning provider as well
  unsigned provider_poll_ms = 1000;  // 0G's look every minute
  std::vector<std::string> provider_arguments;  // further ones for ffe compute serve
  // Told what is being started.
  std::function<void(std::string_view what)> on_step;
};

// In the order in which they are started.
enum class Part { kChain, kStorage, kEnclave, kCompute };

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
  const Address& provider() const { return provider_; }  // of 0G Compute; zero without one

  // Native tokens out of anvil's first account, whose key is public knowledge.
  void fund(const Address& account, const evm::U256& wei);
  evm::RpcClient& rpc() { return *rpc_; }

  // Throws Error naming a process that ended by itself.
  void check();
  // Ends one part and waits for its end; the others miss it from then on.
  void kill(Part part, int signal = SIGKILL);
  // Starts a part that does not run, on the same data and port, and waits until it answers.
  void start(Part part);
  // With words before and behind its command line; does not wait.
  void launch(Part part, const std::vector<std::string>& before,
              const std::vector<std::string>& behind = {});
  void wait_until_ready(Part part) { wait_for(parts_.at(part)); }
  bool running(Part part);
  pid_t pid(Part part) const;  // of a part that runs
  // Ends everything, last started first.
  void stop();

 private:
  void step(std::string_view what);
  // What is needed to run a part again.
  struct Running {
    std::string name;
    std::vector<std::string> command;
    std::filesystem::path log;
    std::function<bool()> ready;
    std::unique_ptr<Process> process;
  };

  void start_chain();
  void deploy_contracts();
  void start_storage();
  void start_enclave();
  void deploy_compute();
  void start_compute();
  std::string write_enclave_config(int port);
  void write_account(const std::filesystem::path& folder, const std::string& name,
                     const crypto::PrivateKey& key);
  void wait_for(Running& part);

  DevnetOptions options_;
  client::Network network_;
  client::Deployment deployment_;
  crypto::PrivateKey operator_key_;
  Address provider_;  // of 0G Compute
  std::unique_ptr<evm::RpcClient> rpc_;
  std::unique_ptr<evm::Sender> faucet_;
  std::map<Part, Running> parts_;
};

}  // namespace ffe::devnet
