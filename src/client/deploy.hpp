// Deployment of the contracts.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "evm/sender.hpp"

namespace ffe::client {

struct DeployOptions {
  // DER of a development root instead of Intel's; refused on every chain but 31337.
  std::optional<Bytes> development_root;
  // The one slash recipient besides 0x…dEaD.
  Address treasury;
  // A Flow contract as well: local networks have none.
  bool with_flow = false;
};

struct Deployment {
  uint64_t chain_id = 0;
  uint64_t block = 0;  // the first one with logs of these contracts
  Address dcap_verifier;
  Address registry;
  Address key_verifier;  // ERC7857Verifier
  Address coordinator;
  Address inft;
  Address flow;  // zero without with_flow
};

Json to_json(const Deployment& deployment);
Deployment deploy(evm::Sender& sender, const DeployOptions& options);

}  // namespace ffe::client
