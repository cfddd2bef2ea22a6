// A token moves with its key, which an enclave seals anew for the buyer (docs/spec/artifact.md).
#include <ctime>

#include "base/hex.hpp"
#include "client/client.hpp"
#include "crypto/address.hpp"
#include "crypto/hpke.hpp"
#include "crypto/random.hpp"
#include "evm/eip712.hpp"
#include "session/owner_key.hpp"

namespace ffe::client {
namespace {

constexpr const char* kAgain = "ask the buyer for a new request";

// What both halves of the proof name: the token's place and data.
struct Place {
  uint64_t chain_id = 0;
  Address inft, verifier;
  evm::U256 token_id;
  H256 artifact_root;
};

H256 digest(const Place& place, std::string_view type, const evm::Values& members) {
  const H256 domain = evm::domain_separator("FFE", "1", evm::U256(place.chain_id), place.verifier);
  return evm::typed_data_digest(domain, evm::hash_struct(type, members));
}

// What the buyer signs.
H256 access_digest(const Place& p, const KeyRequest& r) {
  return digest(p,
                "AccessProof(address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,"
                "bytes32 newDataHash,bytes encryptedPubKey,uint64 deadline,bytes32 salt)",
                {p.inft, p.token_id, r.receiver, p.artifact_root, p.artifact_root, r.key,
                 r.deadline, r.salt});
}

// What the enclave signs.
H256 ownership_digest(const Place& p, const KeyRequest& r, ByteView sealed, const H256& salt) {
  return digest(p,
                "OwnershipProof(address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,"
                "bytes32 newDataHash,bytes sealedKey,bytes encryptedPubKey,uint64 deadline,"
                "bytes32 salt)",
                {p.inft, p.token_id, r.receiver, p.artifact_root, p.artifact_root, sealed, r.key,
                 r.deadline, salt});
}

Place place_of(uint64_t chain_id, session::Inft& inft, const evm::U256& token,
               const evm::U256& session) {
  return {chain_id, inft.address(), inft.verifier(), token, inft.artifact_root(session)};
}

void check_request(const KeyRequest& r, const Place& place, uint64_t now) {
  if (r.token_id != place.token_id) {
    throw Error(ErrorCode::kBadInput,
                "the key request is for token " + r.token_id.to_string() + ", not " +
                    place.token_id.to_string(),
                kAgain);
  }
  if (r.deadline <= now) throw Error(ErrorCode::kKey, "the key request's time is over", kAgain);
  session::check_owner_key(r.key, r.receiver);
  if (crypto::recover(access_digest(place, r), r.signature) != r.receiver) {
    throw Error(ErrorCode::kKey,
                "the key request is not signed by " + crypto::checksum_address(r.receiver), kAgain);
  }
}

H256 random_salt() {
  H256 out;
  crypto::random_bytes(out.bytes);
  return out;
}

}  // namespace

Json to_json(const KeyRequest& r) {
  return {{"tokenId", r.token_id.to_string()},
          {"receiver", to_hex0x(r.receiver.bytes)},
          {"key", to_hex0x(r.key)},
          {"deadline", r.deadline},
          {"salt", to_hex0x(r.salt.bytes)},
          {"signature", to_hex0x(r.signature.bytes)}};
}

KeyRequest key_request_from_json(const Json& j) {
  const char* what = "key request";
  KeyRequest out;
  out.token_id = evm::U256::parse(json_string(j, "tokenId", what));
  out.receiver = address_from_hex(json_string(j, "receiver", what));
  out.key = from_hex(json_string(j, "key", what));
  if (out.key.size() != 32 && out.key.size() != 65) {
    throw Error(ErrorCode::kBadInput,
                "key request: key has " + std::to_string(out.key.size()) + " bytes, not 32 or 65");
  }
  out.deadline = json_uint(j, "deadline", what);
  out.salt = h256_from_hex(json_string(j, "salt", what));
  out.signature = fixed_from_hex<65>(json_string(j, "signature", what));
  return out;
}

KeyRequest Client::request_key(const evm::U256& token_id, uint64_t valid_seconds) {
  const crypto::PublicKey point = sender_.key().public_key();
  KeyRequest out;
  out.token_id = token_id;
  out.receiver = address();
  out.key = Bytes(point.begin(), point.end());
  out.deadline = rpc_.latest_block().timestamp + valid_seconds;
  out.salt = random_salt();
  const Place place = place_of(network_.chain_id, inft_, token_id, inft_.session_of(token_id));
  out.signature = sender_.key().sign(access_digest(place, out));
  return out;
}

evm::Receipt Client::transfer(const evm::U256& token_id, const KeyRequest& request,
                              const Events& events) {
  auto step = [&](std::string_view verb, const std::string& text) {
    if (events.step) events.step(verb, text);
  };
  const session::TokenView token = inft_.token(token_id);
  const session::OpenedSession opened = coordinator_.opened(inft_.session_of(token_id));
  const Place place = place_of(network_.chain_id, inft_, token_id, opened.id);
  check_request(request, place, rpc_.latest_block().timestamp);
  const ServiceKeyHolder sealer =
      find_enclave("can seal the key", [&](const Json&, const EnclaveVerification& enclave) {
        if (enclave.code_hash == opened.terms.code_hash) return;
        throw Error(ErrorCode::kAttestation, "it runs other code than made the model");
      });
  step("Verifying", "enclave " + to_hex0x(sealer.enclave.enclave_id.bytes).substr(0, 10) + "…");

  const session::Transfer transfer{network_.chain_id, inft_.address(),
                                   token_id,          sealer.enclave.enclave_id,
                                   request.receiver,  session::owner_key_hash(request.key),
                                   request.deadline};
  const Bytes aad = concat({opened.session_hash.bytes, place.artifact_root.bytes});
  const SecretBytes key = model_key(opened, token);
  const Bytes sealed =
      crypto::hpke_seal_single(sealer.key, session::transfer_info(transfer), aad, key.view());
  const H256 salt = random_salt();
  const Json body = {{"tokenId", token_id.to_string()},
                     {"sessionHash", to_hex0x(opened.session_hash.bytes)},
                     {"artifactRoot", to_hex0x(place.artifact_root.bytes)},
                     {"buyer", to_hex0x(request.receiver.bytes)},
                     {"buyerKey", to_hex0x(request.key)},
                     {"deadline", request.deadline},
                     {"salt", to_hex0x(salt.bytes)},
                     {"sealed", to_hex0x(sealed)}};
  const Json answer = ask_enclave(sealer.url, "/v1/keys/reseal", &body);
  const Bytes resealed = from_hex(json_string(answer, "sealedKey", sealer.url));
  const auto signature = fixed_from_hex<65>(json_string(answer, "signature", sealer.url));
  if (crypto::recover(ownership_digest(place, request, resealed, salt), signature) !=
      sealer.enclave.signer) {
    throw Error(ErrorCode::kAttestation,
                "the sealed key is not signed by the enclave for this token and buyer",
                "somebody between you and the enclave swapped it: do not go on");
  }
  step("Sealing", "the model's key for " + crypto::checksum_address(request.receiver));
  return inft_.transfer_with_key(sender_, token_id, request.receiver, place.artifact_root,
                                 request.key, resealed, request.deadline,
                                 {request.salt, request.signature}, {salt, signature});
}

}  // namespace ffe::client
