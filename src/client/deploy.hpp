// Deployment of the contracts.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "evm/sender.hpp"

namespace ffe::client {

// The chains that FFE is deployed on.
struct Chain {
  std::string name;
  uint64_t id = 0;
  std::string rpc_url;      // 0G's public endpoint; empty for the devnet
  std::string indexer_url;  // of 0G Storage
};

// "devnet" (31337), "galileo" (16602) or "aristotle" (16661). Throws Error{kUsage}.
Chain find_chain(const std::string& name);

struct DeployOptions {
  // Must be the endpoint's chain.
  uint64_t chain_id = 0;
  // DER of a development root instead of Intel's; refused on every chain but 31337.
  std::optional<Bytes> development_root;
  // The one slash recipient besides 0x…dEaD.
  Address treasury;
  // A Flow contract as well: local networks have none.
  bool with_flow = false;
  // Told of each contract: its address, and whether it was there before.
  std::function<void(std::string_view name, const Address& address, bool existed)> on_contract;
};

struct Deployment {
  uint64_t chain_id = 0;
  uint64_t block = 0;  // the first one with logs of these contracts; 0 if the node cannot tell
  Address dcap_verifier;
  Address registry;
  Address key_verifier;  // ERC7857Verifier
  Address coordinator;
  Address inft;
  Address flow;  // zero without with_flow
};

Json to_json(const Deployment& deployment);

// By CREATE2: the addresses follow from code, root and treasury, and are the same on every chain.
// What is there already is left as it is, so a deployment that was interrupted goes on where it
// stopped.
Deployment deploy(evm::Sender& sender, const DeployOptions& options);

}  // namespace ffe::client
