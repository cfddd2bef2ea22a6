// X25519 (RFC 7748).
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace ffe::crypto {

struct X25519KeyPair {
  SecretBytes secret;  // 32 bytes; clamped when used, as RFC 7748 §5 says
  FixedBytes<32> public_key;

  static X25519KeyPair generate();
  // Throws Error{kKey} unless `secret` has 32 bytes.
  static X25519KeyPair from(ByteView secret);
  X25519KeyPair clone() const;
};

// The 32-byte shared secret. Throws Error{kKey} if `peer` has low order (the secret would be zero).
SecretBytes x25519(ByteView secret, const FixedBytes<32>& peer);

}  // namespace ffe::crypto
