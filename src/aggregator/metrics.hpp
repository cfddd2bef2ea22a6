// What Prometheus reads. Numbers about the process and its sessions; nothing about rows, keys or
// who takes part.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "inference/service.hpp"

namespace ffe::aggregator {

struct Metrics {
  std::string version, provider;
  bool simulated = false;
  Json sessions;                          // of StatusBoard::all()
  uint64_t failed_attempts = 0;           // since the start
  uint64_t registration_valid_until = 0;  // unix seconds
  uint64_t resident_bytes = 0;
  int64_t started = 0;                                        // unix seconds
  std::optional<inference::SealedService::Counts> inference;  // where it is on
};

// Resident memory of this process in bytes; 0 where the system does not tell.
uint64_t resident_bytes();

// Text exposition format 0.0.4.
std::string to_text(const Metrics& metrics);

}  // namespace ffe::aggregator
