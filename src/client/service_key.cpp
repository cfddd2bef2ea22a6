// Enclaves that hold a key for what only they may read: verified first, whatever it is for.
#include "base/hex.hpp"
#include "client/client.hpp"
#include "session/recipe.hpp"

namespace ffe::client {

// The service key is worth something only with the signature of the enclave that was verified.
ServiceKeyHolder Client::service_key(const std::string& url, EnclaveVerification enclave) {
  const Json service = ask_enclave(url, "/v1/keys/service");
  ServiceKeyHolder out{url, std::move(enclave), {}};
  out.key = fixed_from_hex<32>(json_string(service, "key", url));
  const uint64_t until = json_uint(service, "validUntil", url);
  const H256 signed_digest = session::service_key_digest(
      coordinator_.domain(), out.enclave.enclave_id, H256::from(out.key.bytes), until);
  const auto signature = fixed_from_hex<65>(json_string(service, "signature", url));
  if (crypto::recover(signed_digest, signature) != out.enclave.signer) {
    throw Error(ErrorCode::kAttestation, "the service key is not signed by the enclave");
  }
  if (until <= rpc_.latest_block().timestamp) {
    throw Error(ErrorCode::kAttestation, "the service key's time is over");
  }
  return out;
}

ServiceKeyHolder Client::find_enclave(const std::string& purpose, const Fits& fits) {
  std::string why = "the network names no enclave";
  for (const std::string& url : network_.enclave_urls) {
    try {
      const Json evidence = ask_enclave(url, "/v1/enclave");
      EnclaveVerification enclave =
          verify_enclave(h256_from_hex(json_string(evidence, "enclaveId", url)));
      enclave.require();
      fits(evidence, enclave);
      return service_key(url, std::move(enclave));
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) throw;
      why = url + ": " + e.what();
    }
  }
  throw Error(ErrorCode::kAttestation, "no enclave " + purpose + ": " + why,
              "check enclaveUrls in the network file");
}

ServiceKeyHolder Client::find_inference(const evm::U256& token_id, const Events& events) {
  const H256 base = coordinator_.opened(inft_.session_of(token_id)).terms.base_model;
  ServiceKeyHolder out =
      find_enclave("serves this model", [&](const Json& evidence, const EnclaveVerification&) {
        if (!evidence.contains("inference")) {
          throw Error(ErrorCode::kSession, "its operator offers no sealed inference");
        }
        if (session::text_hash(json_string(evidence, "manifest", "enclave")) != base) {
          throw Error(ErrorCode::kSession, "it holds another base model");
        }
      });
  if (events.step) {
    std::string text = "enclave " + to_hex0x(out.enclave.enclave_id.bytes).substr(0, 10) + "…";
    if (out.enclave.simulated) text += " (simulated: no protection)";
    events.step("Verifying", text);
  }
  return out;
}

SecretBytes Client::model_key(const evm::U256& token_id) {
  const session::TokenView token = inft_.token(token_id);
  if (token.owner != address()) {
    throw Error(ErrorCode::kKey, "this account does not own token " + token_id.to_string());
  }
  return model_key(coordinator_.opened(inft_.session_of(token_id)), token);
}

}  // namespace ffe::client
