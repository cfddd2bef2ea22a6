// `ffe compute`: what its files share. Money is in compute.cpp, tasks in compute_task.cpp,
// inference in compute_chat.cpp, the provider's emulator in compute_serve.cpp.
#pragma once

#include "cli/account.hpp"
#include "cli/command.hpp"
#include "compute/chain.hpp"
#include "storage/client.hpp"

namespace ffe::cli {

struct ComputeOptions {
  AccountOptions account;
  std::string rpc_url;
  std::string ledger;  // addresses, for networks without a file
  std::string fine_tuning;
  std::string inference;
};
void add_compute_options(CLI::App& command, ComputeOptions& options, bool signs);

// A network of 0G Compute: "galileo" and "aristotle" are known, others have a network file or are
// named by their parts.
struct ComputeNetwork {
  std::string rpc_url;
  compute::Contracts contracts;
  Address inference;  // zero: the network has none
  storage::ClientOptions storage;
};
ComputeNetwork compute_network(const ComputeOptions& options);

// What the commands work with.
struct ComputeSession {
  explicit ComputeSession(const ComputeOptions& options);

  ComputeNetwork network;
  evm::RpcClient rpc;
  compute::LedgerManager ledger;
  compute::FineTuningServing serving;

  // Throws Error{kUsage} where the network has no inference.
  const Address& inference() const;
};

// Runs `work`; a contract's error gets the hint that goes with it.
void with_compute_hints(const std::function<void()>& work);

void add_compute_task(CLI::App& compute, Context& context);
void add_compute_chat(CLI::App& compute, Context& context);
void add_compute_serve(CLI::App& compute, Context& context);

}  // namespace ffe::cli
