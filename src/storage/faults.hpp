// The stream of faults of a node that misbehaves on purpose.
#pragma once

#include <mutex>
#include <random>

#include "base/bytes.hpp"
#include "storage/node.hpp"

namespace ffe::storage {

enum class Fault { kNone, kDrop, kDelay, kStall };

// Thread-safe. Equal seeds give equal decisions in order of the requests.
class FaultPlan {
 public:
  explicit FaultPlan(const Faults& faults) : faults_(faults), random_(faults.seed) {}

  const Faults& faults() const { return faults_; }
  Fault next();
  // Changes one byte with the probability of `corrupt`.
  void maybe_corrupt(Bytes& data);

 private:
  bool happens(double probability);

  Faults faults_;
  std::mutex mutex_;
  std::mt19937_64 random_;
};

}  // namespace ffe::storage
