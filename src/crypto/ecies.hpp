// ECIES over secp256k1 as eciesjs, ecies/go v2 and 0G's services have it by default:
//   ephemeral public key(65) ‖ nonce(16) ‖ tag(16) ‖ AES-256-GCM ciphertext
// with the key HKDF-SHA256(ikm = ephemeral public key(65) ‖ shared point(65), no salt, no info).
#pragma once

#include "crypto/secp256k1.hpp"

namespace ffe::crypto {

// What the format adds to a plaintext: 97 bytes, so a 32-byte key becomes 129.
inline constexpr size_t kEciesOverhead = 65 + 16 + 16;

// Throws Error{kKey} if `recipient` is not a point of the curve.
Bytes ecies_seal(const PublicKey& recipient, ByteView plaintext);

// Throws Error{kCorrupt} if the bytes were not sealed for `key` or were changed. `nonce_bytes`: 16,
// or 12 as eciesjs writes it where it is configured so.
SecretBytes ecies_open(const PrivateKey& key, ByteView sealed, size_t nonce_bytes = 16);

// ecies_seal with the ephemeral key and the nonce given: for known-answer tests only, because a
// repeated pair gives the plaintext away.
Bytes ecies_seal_with(const PrivateKey& ephemeral, const FixedBytes<16>& nonce,
                      const PublicKey& recipient, ByteView plaintext);

}  // namespace ffe::crypto
