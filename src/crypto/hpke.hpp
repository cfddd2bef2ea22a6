// HPKE (RFC 9180), base mode, one suite: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001,
// ChaCha20-Poly1305 0x0003. Public keys of low order are refused with Error{kKey}.
#pragma once

#include "crypto/x25519.hpp"

namespace ffe::crypto {

inline constexpr size_t kHpkeTag = 16;

// The AEAD context of one encapsulation. Messages carry sequence numbers in their nonces, so they
// open only in the order in which they were sealed. Not thread-safe.
class HpkeContext {
 public:
  // The schedule of RFC 9180 §5.1 for mode_base.
  HpkeContext(ByteView shared_secret, ByteView info);

  Bytes seal(ByteView aad, ByteView plaintext);
  // Throws Error{kCorrupt}; the sequence number advances on success only.
  Bytes open(ByteView aad, ByteView ciphertext);
  SecretBytes open_secret(ByteView aad, ByteView ciphertext);
  SecretBytes export_secret(ByteView exporter_context, size_t length) const;

 private:
  FixedBytes<12> next_nonce() const;

  SecretBytes key_;
  SecretBytes base_nonce_;
  SecretBytes exporter_secret_;
  uint64_t sequence_ = 0;
};

// DeriveKeyPair of RFC 9180 §7.1.3: the same input gives the same key pair. Throws Error{kKey} for
// fewer than 32 bytes.
X25519KeyPair hpke_derive_key_pair(ByteView ikm);

class HpkeSender {
 public:
  HpkeSender(const FixedBytes<32>& recipient, ByteView info);
  // With a given ephemeral key: for known-answer tests only, a key must never serve twice.
  HpkeSender(const FixedBytes<32>& recipient, ByteView info, const X25519KeyPair& ephemeral);

  const FixedBytes<32>& enc() const { return enc_; }
  // ciphertext ‖ tag(16)
  Bytes seal(ByteView aad, ByteView plaintext) { return context_.seal(aad, plaintext); }
  SecretBytes export_secret(ByteView exporter_context, size_t length) const {
    return context_.export_secret(exporter_context, length);
  }

 private:
  FixedBytes<32> enc_;
  HpkeContext context_;
};

class HpkeReceiver {
 public:
  HpkeReceiver(const X25519KeyPair& key, const FixedBytes<32>& enc, ByteView info);

  // Throws Error{kCorrupt} if this is not the next message of the sender with this aad.
  Bytes open(ByteView aad, ByteView ciphertext) { return context_.open(aad, ciphertext); }
  SecretBytes open_secret(ByteView aad, ByteView ciphertext) {
    return context_.open_secret(aad, ciphertext);
  }
  SecretBytes export_secret(ByteView exporter_context, size_t length) const {
    return context_.export_secret(exporter_context, length);
  }

 private:
  HpkeContext context_;
};

// Single shot: enc(32) ‖ ciphertext ‖ tag(16).
Bytes hpke_seal_single(const FixedBytes<32>& recipient, ByteView info, ByteView aad,
                       ByteView plaintext);
// Throws Error{kCorrupt}, or Error{kKey} for an `enc` of low order.
SecretBytes hpke_open_single(const X25519KeyPair& key, ByteView info, ByteView aad,
                             ByteView sealed);

}  // namespace ffe::crypto
