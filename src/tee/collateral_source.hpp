// Fetching collateral from Intel's provisioning service or a cache of it (PCCS), with a local
// cache.
//
// Nothing fetched is believed: verify() checks every signature. A wrong server can only make a
// quote fail, or (within the collateral's validity) hide an update; RollbackGuard is for the
// latter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "net/http_client.hpp"
#include "tee/collateral.hpp"
#include "tee/quote.hpp"

namespace ffe::tee {

struct CollateralSourceOptions {
  // Intel's service, or a PCCS that mirrors its paths.
  std::string url = "https://api.trustedservices.intel.com";
  // Where the root CRL lies in DER. Empty: <url>/sgx/certification/v4/rootcacrl, as a PCCS has it.
  std::string root_crl_url = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";
  std::filesystem::path ca_file = {};    // PEM of a PCCS's own authority; empty: the system's
  std::filesystem::path cache_dir = {};  // empty: no cache
  int64_t refresh_after = 86'400;        // seconds after which a cached copy is fetched anew
  bool offline = false;                  // the cache only
  int timeout_ms = 20'000;
};

class CollateralSource {
 public:
  explicit CollateralSource(CollateralSourceOptions options = {}) : options_(std::move(options)) {}

  // For the machine that made `quote`. A cached copy that has not expired at `unix_time` serves
  // when it is fresh, when offline, when the service does not answer, or when what it answers is
  // older than the copy. Throws Error{kNetwork}, or
  // kBadInput for a quote without a usable PCK chain.
  Collateral get(const Quote& quote, int64_t unix_time);

 private:
  Collateral fetch(const std::string& fmspc, const std::string& ca);
  net::HttpResponse request(const std::string& url);

  CollateralSourceOptions options_;
  net::HttpClient http_;
};

// The first time at which a part of the collateral expires, as the parts themselves say
// (unverified).
int64_t collateral_expiry(const Collateral& collateral);

}  // namespace ffe::tee
