// Current collateral of this enclave's machine: for its registration and for whoever verifies it.
#pragma once

#include <mutex>

#include "aggregator/config.hpp"
#include "tee/collateral_source.hpp"
#include "tee/provider.hpp"

namespace ffe::aggregator {

// Thread-safe.
class CollateralFeed {
 public:
  CollateralFeed(tee::EvidenceProvider& provider, const Config& config);

  // The simulator signs its own; for a real machine Intel's is fetched (a day old at most, kept in
  // the data folder, and used from there while the service does not answer). Throws
  // Error{kNetwork}.
  tee::Collateral get(const tee::Quote& quote);

 private:
  tee::EvidenceProvider& provider_;
  std::mutex mutex_;
  tee::CollateralSource source_;
};

}  // namespace ffe::aggregator
