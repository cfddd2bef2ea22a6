#include "crypto/x25519.hpp"

#include <memory>
#include <openssl/evp.h>

#include "crypto/random.hpp"

namespace ffe::crypto {
namespace {

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(EVP_PKEY_CTX* p) const { EVP_PKEY_CTX_free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Free>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free>;

void check(bool ok) {
  if (!ok) throw Error(ErrorCode::kInternal, "OpenSSL refused an X25519 operation");
}

Key private_key(ByteView secret) {
  if (secret.size() != 32) {
    throw Error(ErrorCode::kKey,
                "an X25519 key has 32 bytes, not " + std::to_string(secret.size()));
  }
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(), secret.size()));
  check(key != nullptr);
  return key;
}

}  // namespace

X25519KeyPair X25519KeyPair::generate() {
  SecretBytes secret(size_t{32});
  random_bytes(secret.span());
  return from(secret.view());
}

X25519KeyPair X25519KeyPair::from(ByteView secret) {
  Key key = private_key(secret);
  X25519KeyPair pair{SecretBytes(secret), {}};
  size_t size = 32;
  check(EVP_PKEY_get_raw_public_key(key.get(), pair.public_key.data(), &size) == 1 && size == 32);
  return pair;
}

X25519KeyPair X25519KeyPair::clone() const {
  return {secret.clone(), public_key};
}

SecretBytes x25519(ByteView secret, const FixedBytes<32>& peer) {
  Key key = private_key(secret);
  Key other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.data(), peer.size()));
  check(other != nullptr);
  KeyContext context(EVP_PKEY_CTX_new(key.get(), nullptr));
  check(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  check(EVP_PKEY_derive_set_peer(context.get(), other.get()) == 1);
  SecretBytes out(size_t{32});
  size_t size = out.size();
  // OpenSSL fails on an all-zero result; the comparison keeps that true whatever library it is.
  bool derived = EVP_PKEY_derive(context.get(), out.data(), &size) == 1 && size == 32;
  if (!derived || equal_constant_time(out.view(), H256{}.bytes)) {
    throw Error(ErrorCode::kKey, "the X25519 public key has low order: its secret would be known");
  }
  return out;
}

}  // namespace ffe::crypto
