#include "crypto/secp256k1.hpp"

#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include <secp256k1_recovery.h>

#include "crypto/keccak.hpp"
#include "crypto/random.hpp"

namespace ffe::crypto {
namespace {

// One context for the process. It is blinded once against side channels, before any thread can see
// it, and only read afterwards; that is the thread-safe use libsecp256k1 allows.
const secp256k1_context* context() {
  static const secp256k1_context* const shared = [] {
    secp256k1_context* made = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    SecretBytes seed(size_t{32});
    random_bytes(seed.span());
    if (secp256k1_context_randomize(made, seed.data()) != 1) {
      throw Error(ErrorCode::kInternal, "libsecp256k1 refused to blind its context");
    }
    return made;
  }();
  return shared;
}

bool parse(ByteView bytes, secp256k1_pubkey* out) {
  return secp256k1_ec_pubkey_parse(context(), out, bytes.data(), bytes.size()) == 1;
}

template <size_t N>
FixedBytes<N> serialize(const secp256k1_pubkey& point) {
  static_assert(N == 33 || N == 65);
  FixedBytes<N> out;
  size_t size = N;
  secp256k1_ec_pubkey_serialize(context(), out.data(), &size, &point,
                                N == 33 ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED);
  return out;
}

// secp256k1_ecdh's hook for "hash": hands the point over as it is.
int take_point(unsigned char* out, const unsigned char* x32, const unsigned char* y32, void*) {
  out[0] = 0x04;
  std::copy_n(x32, 32, out + 1);
  std::copy_n(y32, 32, out + 33);
  return 1;
}

Address address_of_valid(const PublicKey& key) {
  H256 hash = keccak256(ByteView(key.bytes).subspan(1));
  return Address::from(ByteView(hash.bytes).subspan(12));
}

[[noreturn]] void bad_signature(const char* why) {
  throw Error(ErrorCode::kCorrupt, std::string("malformed signature: ") + why);
}

// Only byte 0x04 is the uncompressed form: the library would also read hybrid keys (0x06, 0x07).
bool parse_uncompressed(const PublicKey& key, secp256k1_pubkey* out) {
  return key[0] == 0x04 && parse(key.bytes, out);
}

}  // namespace

PrivateKey PrivateKey::generate() {
  while (true) {
    SecretBytes secret(size_t{32});
    random_bytes(secret.span());
    if (secp256k1_ec_seckey_verify(context(), secret.data()) == 1) {
      return PrivateKey(std::move(secret));
    }
  }
}

PrivateKey PrivateKey::from(ByteView secret) {
  if (secret.size() != 32) {
    throw Error(ErrorCode::kKey,
                "a private key has 32 bytes, not " + std::to_string(secret.size()));
  }
  if (secp256k1_ec_seckey_verify(context(), secret.data()) != 1) {
    throw Error(ErrorCode::kKey, "the private key is zero or not below the group order");
  }
  return PrivateKey(SecretBytes(secret));
}

PrivateKey PrivateKey::clone() const {
  return PrivateKey(secret_.clone());
}

PublicKey PrivateKey::public_key() const {
  secp256k1_pubkey point;
  if (secp256k1_ec_pubkey_create(context(), &point, secret_.data()) != 1) {
    throw Error(ErrorCode::kInternal, "no public key: this key object was moved from");
  }
  return serialize<65>(point);
}

Address PrivateKey::address() const {
  return address_of_valid(public_key());
}

Signature PrivateKey::sign(const H256& digest) const {
  secp256k1_ecdsa_recoverable_signature made;
  if (secp256k1_ecdsa_sign_recoverable(context(), &made, digest.data(), secret_.data(), nullptr,
                                       nullptr) != 1) {
    throw Error(ErrorCode::kInternal, "libsecp256k1 could not sign");
  }
  Signature out;
  int recovery = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), out.data(), &recovery, &made);
  // Ids 2 and 3 (r above the order) need 2^127 tries to meet; Ethereum has no v for them.
  if (recovery > 1) throw Error(ErrorCode::kInternal, "a signature without an Ethereum form");
  out[64] = static_cast<uint8_t>(27 + recovery);
  return out;
}

SecretBytes PrivateKey::ecdh_point(const PublicKey& peer) const {
  secp256k1_pubkey point;
  if (!parse_uncompressed(peer, &point)) {
    throw Error(ErrorCode::kKey, "the peer's public key is not a point of secp256k1");
  }
  SecretBytes out(size_t{65});
  if (secp256k1_ecdh(context(), out.data(), &point, secret_.data(), take_point, nullptr) != 1) {
    throw Error(ErrorCode::kInternal, "libsecp256k1 could not compute a shared point");
  }
  return out;
}

SecretBytes PrivateKey::ecdh_x(const PublicKey& peer) const {
  return SecretBytes(ecdh_point(peer).view().subspan(1, 32));
}

PublicKey recover_public_key(const H256& digest, const Signature& signature) {
  if (signature[64] != 27 && signature[64] != 28) bad_signature("v is neither 27 nor 28");
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, signature.data(),
                                                          signature[64] - 27) != 1) {
    bad_signature("r or s is out of range");
  }
  secp256k1_ecdsa_signature plain;
  secp256k1_ecdsa_recoverable_signature_convert(context(), &plain, &parsed);
  if (secp256k1_ecdsa_signature_normalize(context(), nullptr, &plain) == 1) {
    bad_signature("s is in the upper half of the order");
  }
  secp256k1_pubkey point;
  if (secp256k1_ecdsa_recover(context(), &point, &parsed, digest.data()) != 1) {
    bad_signature("no public key belongs to it");
  }
  return serialize<65>(point);
}

Address recover(const H256& digest, const Signature& signature) {
  return address_of_valid(recover_public_key(digest, signature));
}

Address address_of(const PublicKey& public_key) {
  return address_of_valid(parse_public_key(public_key.bytes));
}

PublicKey parse_public_key(ByteView bytes) {
  Bytes full(bytes.begin(), bytes.end());
  if (full.size() == 64) full.insert(full.begin(), 0x04);
  secp256k1_pubkey point;
  bool prefix_ok = (full.size() == 65 && full[0] == 0x04) || full.size() == 33;
  if (!prefix_ok || !parse(full, &point)) {
    throw Error(ErrorCode::kBadInput, "not a secp256k1 public key",
                "give 65 bytes (04 X Y), 64 bytes (X Y) or 33 bytes (compressed)");
  }
  return serialize<65>(point);
}

FixedBytes<33> compress_public_key(const PublicKey& public_key) {
  secp256k1_pubkey point;
  if (!parse_uncompressed(public_key, &point)) {
    throw Error(ErrorCode::kBadInput, "not an uncompressed secp256k1 public key");
  }
  return serialize<33>(point);
}

}  // namespace ffe::crypto
