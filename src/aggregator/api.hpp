// The HTTP interface of the enclave service (docs/spec/enclave-api.md). Answers anyone; holds no
// secret that it could give away.
#pragma once

#include <ctime>
#include <memory>

#include "aggregator/collateral_feed.hpp"
#include "aggregator/config.hpp"
#include "aggregator/enclave.hpp"
#include "aggregator/key_service.hpp"
#include "aggregator/model.hpp"
#include "aggregator/registration.hpp"
#include "aggregator/status.hpp"
#include "inference/service.hpp"
#include "net/http_server.hpp"

namespace ffe::aggregator {

struct ApiContext {
  const Config& config;
  Enclave& enclave;
  tee::EvidenceProvider& provider;
  CollateralFeed& collateral;
  const BaseModel& model;
  const Journal& journal;
  const StatusBoard& status;
  const Registrar& registrar;
  KeyService& keys;
  inference::SealedService* sealed;  // null where it is off
};

// The service key with what proves it: "enclaveId", "validUntil" and the signer's "signature".
Json service_key_certificate(const KeyService& keys, const Registrar& registrar);

class Api {
 public:
  explicit Api(ApiContext context);  // starts serving
  ~Api();
  int port() const { return server_.port(); }

 private:
  net::ServerResponse evidence() const;
  net::ServerResponse grant(const net::ServerRequest& request) const;
  net::ServerResponse offer(const net::ServerRequest& request) const;
  net::ServerResponse session(const net::ServerRequest& request) const;
  net::ServerResponse certificates(const net::ServerRequest& request) const;
  net::ServerResponse service_key() const;
  net::ServerResponse reseal(const net::ServerRequest& request) const;
  net::ServerResponse metrics() const;
  void check_terms(const session::SessionTerms& terms, const std::string& recipe_text) const;

  ApiContext context_;
  int64_t started_ = std::time(nullptr);
  net::HttpServer server_;
};

}  // namespace ffe::aggregator
