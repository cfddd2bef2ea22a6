#include "aggregator/collateral_feed.hpp"

#include <ctime>

namespace ffe::aggregator {
namespace {

tee::CollateralSourceOptions source_options(const Config& config) {
  tee::CollateralSourceOptions out;
  if (!config.pccs_url.empty()) {
    out.url = config.pccs_url;
    out.root_crl_url.clear();  // a PCCS mirrors it
    out.ca_file = config.pccs_ca_file;
  }
  out.cache_dir = config.data_dir / "collateral";
  return out;
}

}  // namespace

CollateralFeed::CollateralFeed(tee::EvidenceProvider& provider, const Config& config)
    : provider_(provider), source_(source_options(config)) {}

tee::Collateral CollateralFeed::get(const tee::Quote& quote) {
  std::lock_guard lock(mutex_);
  if (provider_.simulated()) return provider_.collateral();
  return source_.get(quote, std::time(nullptr));
}

}  // namespace ffe::aggregator
