#include "aggregator/api.hpp"

#include <ctime>

#include "aggregator/metrics.hpp"
#include "aggregator/provider_training.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "gate/gate.hpp"
#include "session/recipe.hpp"
#include "tee/evidence.hpp"

namespace ffe::aggregator {
namespace {

net::ServerResponse json_response(const Json& body, int status = 200) {
  net::ServerResponse out;
  out.status = status;
  out.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return out;
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadInput:
    case ErrorCode::kUsage:
    case ErrorCode::kKey:
    case ErrorCode::kCorrupt:
      return 400;
    case ErrorCode::kSession:
      return 409;
    case ErrorCode::kUnsupported:
      return 422;
    default:
      return 500;
  }
}

// Errors of requests reach the peer with code, message and hint, as on the command line.
template <class F>
net::HttpServer::Handler guarded(F handler) {
  return [handler](const net::ServerRequest& request) {
    try {
      return handler(request);
    } catch (const Error& e) {
      Json error = {{"code", error_name(e.code())}, {"message", e.what()}};
      if (!e.hint().empty()) error["hint"] = e.hint();
      return json_response({{"error", error}}, http_status(e.code()));
    }
  };
}

net::HttpServer::Options server_options(const Config& config) {
  net::HttpServer::Options options;
  options.host = config.host;
  options.port = config.port;
  options.max_body = 4 << 20;
  options.cors = true;  // contributors' browsers verify the enclave themselves
  // Each answer under way holds a thread; the rest of the interface keeps its own.
  if (config.serving.enabled) options.threads += config.serving.max_streams;
  return options;
}

}  // namespace

Json service_key_certificate(const KeyService& keys, const Registrar& registrar) {
  const std::shared_ptr<const Registration> r = registrar.current();
  return {{"enclaveId", to_hex0x(r->enclave_id.bytes)},
          {"validUntil", r->valid_until},
          {"signature", to_hex0x(keys.sign_key(r->enclave_id, r->valid_until).bytes)}};
}

Api::Api(ApiContext context) : context_(context), server_(server_options(context.config)) {
  server_.handle("GET", "/healthz", [](const auto&) { return json_response({{"ok", true}}); });
  server_.handle("GET", "/readyz", [this](const auto&) {
    bool ready =
        context_.registrar.current()->valid_until > static_cast<uint64_t>(std::time(nullptr));
    return json_response({{"ready", ready}}, ready ? 200 : 503);
  });
  server_.handle("GET", "/metrics", [this](const auto&) { return metrics(); });
  server_.handle("GET", "/v1/enclave", guarded([this](const auto&) { return evidence(); }));
  server_.handle("POST", "/v1/sessions/key", guarded([this](const auto& r) { return grant(r); }));
  server_.handle("POST", "/v1/sessions/offer", guarded([this](const auto& r) { return offer(r); }));
  server_.handle("GET", "/v1/keys/service", guarded([this](const auto&) { return service_key(); }));
  server_.handle("POST", "/v1/keys/reseal", guarded([this](const auto& r) { return reseal(r); }));
  server_.handle("GET", "/v1/sessions",
                 [this](const auto&) { return json_response(context_.status.all()); });
  server_.handle_regex("GET", "/v1/sessions/([0-9]{1,20})",
                       guarded([this](const auto& r) { return session(r); }));
  server_.handle_regex("GET", "/v1/tags/([0-9a-f]{64})/certificates",
                       guarded([this](const auto& r) { return certificates(r); }));
  if (context_.sealed != nullptr) context_.sealed->add_routes(server_);
  server_.start();
}

Api::~Api() {
  server_.stop();
}

net::ServerResponse Api::evidence() const {
  std::shared_ptr<const Registration> registration = context_.registrar.current();
  const Registration& r = *registration;
  Json paths = Json::array();
  for (lm::NumericPath path : lm::supported_numeric_paths())
    paths.push_back(lm::numeric_name(path));
  Json out = {{"version", FFE_VERSION},
              {"provider", context_.provider.name()},
              {"simulated", r.evidence.simulated},
              {"chainId", context_.enclave.domain().chain_id},
              {"coordinator", to_hex0x(context_.config.coordinator.bytes)},
              {"registry", to_hex0x(context_.config.registry.bytes)},
              {"enclaveId", to_hex0x(r.enclave_id.bytes)},
              {"signer", to_hex0x(context_.enclave.signer().bytes)},
              {"codeHash", to_hex0x(r.code_hash.bytes)},
              {"payee", to_hex0x(context_.config.payee.bytes)},
              {"ext", to_hex0x(r.ext)},
              {"validUntil", r.valid_until},
              {"manifest", context_.model.manifest_text()},
              {"numericPaths", paths},
              {"limits",
               {{"contributionBytes", context_.config.max_data_bytes},
                {"sessionBytes", context_.config.max_session_bytes}}}};
  if (context_.sealed != nullptr) out["inference"] = context_.sealed->facts();
  out.update(tee::to_json(r.evidence));
  out["collateral"] = tee::to_json(context_.collateral.get(tee::parse_quote(r.evidence.quote)));
  return json_response(out);
}

net::ServerResponse Api::grant(const net::ServerRequest& request) const {
  Json body = parse_json(request.body, "request");
  const session::Domain& domain = context_.enclave.domain();
  H256 tag = session::session_tag(domain.chain_id, domain.coordinator,
                                  address_from_hex(json_string(body, "opener", "request")),
                                  h256_from_hex(json_string(body, "salt", "request")));
  SessionKeyGrant key = context_.enclave.grant(tag);
  return json_response({{"sessionTag", to_hex0x(tag.bytes)},
                        {"sessionKey", to_hex0x(key.session_key.bytes)},
                        {"seedCommitment", to_hex0x(key.seed_commitment.bytes)},
                        {"signature", to_hex0x(key.signature.bytes)}});
}

void Api::check_terms(const session::SessionTerms& terms, const std::string& recipe_text) const {
  auto refuse = [](const std::string& member, const std::string& why) {
    throw Error(ErrorCode::kBadInput, "terms: " + member + " " + why);
  };
  session::check_bounds(terms);
  gate::bundle(terms.gate.statistic);
  std::shared_ptr<const Registration> registration = context_.registrar.current();
  if (terms.enclave_id != registration->enclave_id) {
    refuse("enclaveId", "is not this enclave");
  }
  if (terms.code_hash != registration->code_hash) {
    refuse("codeHash", "is not this enclave's code");
  }
  if (terms.base_model != session::text_hash(context_.model.manifest_text())) {
    refuse("baseModel", "is not the model that this enclave holds");
  }
  if (terms.recipe != session::text_hash(recipe_text)) refuse("recipe", "is not the text's hash");
  const session::Recipe recipe = session::parse_recipe(recipe_text);
  context_.model.check_recipe(recipe);
  check_trainer(recipe, context_.config, context_.enclave.domain().chain_id);
  if (terms.submit_deadline <= static_cast<uint64_t>(std::time(nullptr))) {
    refuse("submitDeadline", "has passed");
  }
}

net::ServerResponse Api::offer(const net::ServerRequest& request) const {
  Json body = parse_json(request.body, "request");
  session::SessionTerms terms = session::terms_from_json(json_member(body, "terms", "request"));
  check_terms(terms, json_string(body, "recipe", "request"));
  const session::Domain& domain = context_.enclave.domain();
  H256 tag =
      session::session_tag(domain.chain_id, domain.coordinator,
                           address_from_hex(json_string(body, "opener", "request")), terms.salt);
  SessionOffer offer = context_.enclave.offer(tag, terms);
  return json_response({{"sessionTag", to_hex0x(tag.bytes)},
                        {"sessionKey", to_hex0x(offer.session_key.bytes)},
                        {"seedCommitment", to_hex0x(offer.seed_commitment.bytes)},
                        {"termsHash", to_hex0x(offer.terms_hash.bytes)},
                        {"manifest", context_.model.manifest_text()},
                        {"signature", to_hex0x(offer.signature.bytes)}});
}

net::ServerResponse Api::session(const net::ServerRequest& request) const {
  Json status = context_.status.session(request.captures.at(0));
  if (status.is_null()) return json_response({{"stage", "unknown"}}, 404);
  return json_response(status);
}

net::ServerResponse Api::certificates(const net::ServerRequest& request) const {
  Json out = Json::array();
  for (const auto& [key, value] : context_.journal.entries(request.captures.at(0))) {
    if (key == "result" || key == "abort" || key.starts_with("rejection ")) {
      out.push_back(parse_json(as_text(value), "journal"));
    }
  }
  return json_response(out);
}

net::ServerResponse Api::service_key() const {
  Json out = service_key_certificate(context_.keys, context_.registrar);
  out["key"] = to_hex0x(context_.keys.public_key().bytes);
  return json_response(out);
}

net::ServerResponse Api::reseal(const net::ServerRequest& request) const {
  const Json body = parse_json(request.body, "request");
  auto text = [&](const char* member) { return json_string(body, member, "request"); };
  ResealRequest r;
  r.token_id = evm::U256::parse(text("tokenId"));
  r.session_hash = h256_from_hex(text("sessionHash"));
  r.artifact_root = h256_from_hex(text("artifactRoot"));
  r.buyer = address_from_hex(text("buyer"));
  r.buyer_key = from_hex(text("buyerKey"));
  r.deadline = json_uint(body, "deadline", "request");
  r.salt = h256_from_hex(text("salt"));
  r.sealed = from_hex(text("sealed"));
  OwnershipProof proof = context_.keys.reseal(context_.registrar.current()->enclave_id, r);
  return json_response(
      {{"sealedKey", to_hex0x(proof.sealed_key)}, {"signature", to_hex0x(proof.signature.bytes)}});
}

net::ServerResponse Api::metrics() const {
  net::ServerResponse out;
  out.content_type = "text/plain; version=0.0.4";
  const std::shared_ptr<const Registration> registration = context_.registrar.current();
  Metrics m;
  m.version = FFE_VERSION;
  m.provider = context_.provider.name();
  m.simulated = registration->evidence.simulated;
  m.sessions = context_.status.all();
  m.failed_attempts = context_.status.failures();
  m.registration_valid_until = registration->valid_until;
  m.resident_bytes = resident_bytes();
  m.started = started_;
  if (context_.sealed != nullptr) m.inference = context_.sealed->counts();
  out.body = to_text(m);
  return out;
}

}  // namespace ffe::aggregator
