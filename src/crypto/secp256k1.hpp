// ECDSA with public-key recovery and ECDH on secp256k1 (libsecp256k1, RFC 6979 nonces, low s).
// All functions are thread-safe.
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "crypto/address.hpp"

namespace ffe::crypto {

// Uncompressed: 0x04 ‖ X ‖ Y.
using PublicKey = FixedBytes<65>;
// r ‖ s ‖ v, with s in the lower half of the order (EIP-2) and v 27 or 28.
using Signature = FixedBytes<65>;

class PrivateKey {
 public:
  static PrivateKey generate();
  // 32 bytes, big-endian. Throws Error{kKey} unless 0 < key < the group order.
  static PrivateKey from(ByteView secret);

  PrivateKey clone() const;
  PublicKey public_key() const;
  Address address() const;
  // Deterministic (RFC 6979, SHA-256, no extra entropy).
  Signature sign(const H256& digest) const;
  // The X coordinate of the shared point, 32 bytes. Throws Error{kKey} for a point off the curve.
  SecretBytes ecdh_x(const PublicKey& peer) const;
  // The whole shared point, 0x04 ‖ X ‖ Y.
  SecretBytes ecdh_point(const PublicKey& peer) const;
  // The 32 raw bytes; the view lives as long as this object.
  ByteView secret() const { return secret_.view(); }

 private:
  explicit PrivateKey(SecretBytes secret) : secret_(std::move(secret)) {}

  SecretBytes secret_;
};

// Who signed `digest`. Throws Error{kCorrupt} if the signature is malformed: v not 27 or 28, r or s
// out of range, s in the upper half, or no such point.
Address recover(const H256& digest, const Signature& signature);
PublicKey recover_public_key(const H256& digest, const Signature& signature);

// The last 20 bytes of keccak256(X ‖ Y). Throws Error{kBadInput} if the point is not on the curve.
Address address_of(const PublicKey& public_key);

// Accepts 65 bytes (uncompressed), 64 (X ‖ Y) or 33 (compressed). Throws Error{kBadInput} otherwise
// or if the point is not on the curve.
PublicKey parse_public_key(ByteView bytes);
FixedBytes<33> compress_public_key(const PublicKey& public_key);

}  // namespace ffe::crypto
