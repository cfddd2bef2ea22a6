#include "session/owner_key.hpp"

#include "crypto/ecies.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"

namespace ffe::session {
namespace {

[[noreturn]] void bad_key(const std::string& why) {
  throw Error(ErrorCode::kKey, "owner key: " + why,
              "submit the account's own uncompressed secp256k1 public key (65 bytes) or an X25519 "
              "public key (32 bytes)");
}

crypto::PublicKey parse_secp256k1(ByteView key) {
  try {
    return crypto::parse_public_key(key);
  } catch (const Error&) {
    bad_key("not a point of secp256k1");
  }
}

Bytes key_info(const H256& session_hash, const Address& owner) {
  return concat({as_bytes("ffe/key/v1"), session_hash.bytes, owner.bytes});
}

}  // namespace

H256 owner_key_hash(ByteView owner_key) {
  return crypto::keccak256(owner_key);
}

void check_owner_key(ByteView owner_key, const Address& owner) {
  if (owner_key.size() == 65) {
    if (crypto::address_of(parse_secp256k1(owner_key)) != owner) {
      bad_key("belongs to another account than " + crypto::checksum_address(owner));
    }
    return;
  }
  if (owner_key.size() != 32) {
    bad_key("has " + std::to_string(owner_key.size()) + " bytes, not 65 or 32");
  }
  try {
    crypto::x25519(crypto::X25519KeyPair::generate().secret.view(),
                   FixedBytes<32>::from(owner_key));
  } catch (const Error&) {
    bad_key("an X25519 point of low order");
  }
}

crypto::X25519KeyPair derive_owner_key(const Signer& signer, const Domain& domain,
                                       const H256& session_tag, const Address& owner) {
  const H256 digest = owner_key_digest(domain, session_tag);
  const crypto::Signature first = signer(digest);
  const crypto::Signature second = signer(digest);
  if (first != second) {
    throw Error(ErrorCode::kKey, "this wallet signs the same message differently each time",
                "use a keystore key as owner key");
  }
  if (crypto::recover(digest, first) != owner) {
    throw Error(ErrorCode::kKey, "the owner key was signed by another account than " +
                                     crypto::checksum_address(owner));
  }
  SecretBytes secret = crypto::hkdf_sha256(ByteView(first.bytes).first(64),
                                           as_bytes("ffe/owner/v1"), session_tag.bytes, 32);
  secret.data()[0] &= 0xf8;  // RFC 7748 §5
  secret.data()[31] = static_cast<uint8_t>((secret.data()[31] & 0x7f) | 0x40);
  return crypto::X25519KeyPair::from(secret.view());
}

Bytes seal_key(ByteView key, ByteView owner_key, const H256& session_hash, const Address& owner) {
  check_owner_key(owner_key, owner);
  if (owner_key.size() == 65) return crypto::ecies_seal(parse_secp256k1(owner_key), key);
  return crypto::hpke_seal_single(FixedBytes<32>::from(owner_key), key_info(session_hash, owner),
                                  {}, key);
}

SecretBytes open_key(ByteView sealed, const crypto::PrivateKey& owner) {
  return crypto::ecies_open(owner, sealed);
}

SecretBytes open_key(ByteView sealed, const crypto::X25519KeyPair& owner_key,
                     const H256& session_hash, const Address& owner) {
  return crypto::hpke_open_single(owner_key, key_info(session_hash, owner), {}, sealed);
}

Bytes transfer_info(const Transfer& t) {
  const Bytes encoded = evm::abi_encode(
      evm::parse_types("uint256,address,uint256,bytes32,address,bytes32,uint256"),
      {t.chain_id, t.inft, t.token_id, t.enclave_id, t.buyer, t.buyer_key_hash, t.deadline});
  return concat({as_bytes("ffe/transfer/v1"), crypto::keccak256(encoded).bytes});
}

}  // namespace ffe::session
