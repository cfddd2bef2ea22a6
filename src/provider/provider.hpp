// 0G's fine-tuning provider for local networks: REST interface, states, artefacts and settlement as
// 0G's serving broker has them (docs/spec/compute.md), with our own trainer behind. It proves
// nothing about a TEE and is refused outside local networks.
#pragma once

#include <memory>

#include "provider/options.hpp"

namespace ffe::provider {

class Provider {
 public:
  // `key`: the provider's wallet; pays its stake and gas.
  Provider(ProviderOptions options, const crypto::PrivateKey& key);
  ~Provider();
  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;

  // Listens, registers the service on the chain, works in the background. Throws Error{kUsage} on a
  // chain other than 31337. 0G's acknowledgement of the signer is the contract owner's to give.
  void start();
  void stop();

  const std::string& url() const;
  const Address& address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::provider
