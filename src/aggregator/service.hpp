// ffe-aggregator: the enclave service. Registers itself, consents to sessions, works through them.
#pragma once

#include <memory>
#include <string>

#include "aggregator/config.hpp"

namespace ffe::aggregator {

// Runs until `stop()` or an interrupt. One object per process.
class Service {
 public:
  // Opens everything and checks it against each other: chain, registry, coordinator, model, keys.
  // Throws Error naming the setting that is wrong.
  explicit Service(const Config& config);
  ~Service();

  int port() const;
  void run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::aggregator
