// Sealing a model's key anew for a token's buyer (docs/spec/artifact.md, enclave-api.md).
//
// A seller who knows the key K of an artifact sends it to this enclave, encrypted to the service
// key; the enclave checks that K opens the artifact, seals it for the buyer and signs the ownership
// proof that the token's contract asks for. Nothing is kept.
#pragma once

#include <mutex>

#include "aggregator/enclave.hpp"
#include "session/owner_key.hpp"
#include "storage/client.hpp"

namespace ffe::aggregator {

// Where tokens live and who checks their proofs.
struct TokenContracts {
  Address inft;
  Address verifier;  // ERC7857Verifier
};

struct ResealRequest {
  evm::U256 token_id;
  H256 session_hash;
  H256 artifact_root;
  Address buyer;
  Bytes buyer_key;  // as submitted to a session: 65 or 32 bytes
  uint64_t deadline = 0;
  H256 salt;
  Bytes sealed;  // K: HPKE single shot to the service key, bound to all of the above but the salt
};

struct OwnershipProof {
  Bytes sealed_key;
  crypto::Signature signature;
};

// Thread-safe.
class KeyService {
 public:
  // The service key is born here and lives as long as this object.
  KeyService(const Enclave& enclave, const TokenContracts& contracts, storage::Client& storage);

  const FixedBytes<32>& public_key() const { return key_.public_key; }
  // For what else is sealed to it: each use has an HPKE info of its own.
  const crypto::X25519KeyPair& key() const { return key_; }
  // Over ServiceKey(enclaveId, key, validUntil).
  crypto::Signature sign_key(const H256& enclave_id, uint64_t valid_until) const;

  // One at a time. Throws Error: kSession while another is worked on, kKey for a buyer's key that
  // is none, kCorrupt if K was not sealed for this request or does not open the artifact, kNetwork
  // if the artifact cannot be had.
  OwnershipProof reseal(const H256& enclave_id, const ResealRequest& request);

 private:
  SecretBytes open(const H256& enclave_id, const ResealRequest& request) const;
  H256 digest(const ResealRequest& request, ByteView sealed_key) const;

  const Enclave& enclave_;
  TokenContracts contracts_;
  storage::Client& storage_;
  crypto::X25519KeyPair key_;
  std::mutex busy_;
};

}  // namespace ffe::aggregator
