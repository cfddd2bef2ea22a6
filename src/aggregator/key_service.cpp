#include "aggregator/key_service.hpp"

#include "base/hex.hpp"
#include "evm/eip712.hpp"
#include "session/artifact.hpp"

namespace ffe::aggregator {
namespace {

constexpr size_t kMaxArtifact = size_t{512} << 20;  // held in memory twice while it is checked
constexpr std::string_view kOwnershipType =
    "OwnershipProof(address nft,uint256 tokenId,address receiver,bytes32 oldDataHash,"
    "bytes32 newDataHash,bytes sealedKey,bytes encryptedPubKey,uint64 deadline,bytes32 salt)";

}  // namespace

KeyService::KeyService(const Enclave& enclave, const TokenContracts& contracts,
                       storage::Client& storage)
    : enclave_(enclave),
      contracts_(contracts),
      storage_(storage),
      key_(crypto::X25519KeyPair::generate()) {}

crypto::Signature KeyService::sign_key(const H256& enclave_id, uint64_t valid_until) const {
  return enclave_.key().sign(session::service_key_digest(
      enclave_.domain(), enclave_id, H256::from(key_.public_key.bytes), valid_until));
}

OwnershipProof KeyService::reseal(const H256& enclave_id, const ResealRequest& request) {
  std::unique_lock lock(busy_, std::try_to_lock);
  if (!lock) {
    throw Error(ErrorCode::kSession, "another key is being sealed", "try again in a minute");
  }
  session::check_owner_key(request.buyer_key, request.buyer);
  SecretBytes key = open(enclave_id, request);
  // Its authentication tag proves that K is the artifact's key.
  session::open_artifact(key.view(), storage_.download(request.artifact_root, kMaxArtifact));
  OwnershipProof out;
  out.sealed_key =
      session::seal_key(key.view(), request.buyer_key, request.session_hash, request.buyer);
  out.signature = enclave_.key().sign(digest(request, out.sealed_key));
  return out;
}

SecretBytes KeyService::open(const H256& enclave_id, const ResealRequest& request) const {
  session::Transfer transfer;
  transfer.chain_id = enclave_.domain().chain_id;
  transfer.inft = contracts_.inft;
  transfer.token_id = request.token_id;
  transfer.enclave_id = enclave_id;
  transfer.buyer = request.buyer;
  transfer.buyer_key_hash = session::owner_key_hash(request.buyer_key);
  transfer.deadline = request.deadline;
  const Bytes aad = concat({request.session_hash.bytes, request.artifact_root.bytes});
  SecretBytes key =
      crypto::hpke_open_single(key_, session::transfer_info(transfer), aad, request.sealed);
  if (key.size() != session::kArtifactKey) {
    throw Error(ErrorCode::kCorrupt, "the sealed key has " + std::to_string(key.size()) +
                                         " bytes, not " + std::to_string(session::kArtifactKey));
  }
  return key;
}

H256 KeyService::digest(const ResealRequest& r, ByteView sealed_key) const {
  static const evm::StructTypes types({kOwnershipType});
  const H256 domain =
      evm::domain_separator("FFE", "1", evm::U256(enclave_.domain().chain_id), contracts_.verifier);
  return evm::typed_data_digest(
      domain, types.hash_struct("OwnershipProof",
                                {contracts_.inft, r.token_id, r.buyer, r.artifact_root,
                                 r.artifact_root, sealed_key, r.buyer_key, r.deadline, r.salt}));
}

}  // namespace ffe::aggregator
