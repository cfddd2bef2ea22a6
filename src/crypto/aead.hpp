// Authenticated encryption on OpenSSL: AES-256-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC
// 8439). Sealed form: ciphertext ‖ tag(16).
#pragma once

#include "base/bytes.hpp"

namespace ffe::crypto {

inline constexpr size_t kAeadTag = 16;

// The nonce has 12 bytes, or 16 (GCM hashes it then; eciesjs does that).
// Throws Error{kBadInput} for another key or nonce length; opening throws Error{kCorrupt} if the
// tag does not match.
Bytes aes256gcm_seal(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext);
Bytes aes256gcm_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed);

// The nonce has 12 bytes.
Bytes chacha20poly1305_seal(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext);
Bytes chacha20poly1305_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed);

// The same into memory of the caller, for streams: `out` has plaintext.size() + kAeadTag bytes to
// seal and sealed.size() - kAeadTag to open. On failure `out` is wiped.
void aes256gcm_seal_into(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
                         std::span<uint8_t> out);
void aes256gcm_open_into(ByteView key, ByteView nonce, ByteView aad, ByteView sealed,
                         std::span<uint8_t> out);
void chacha20poly1305_seal_into(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
                                std::span<uint8_t> out);
void chacha20poly1305_open_into(ByteView key, ByteView nonce, ByteView aad, ByteView sealed,
                                std::span<uint8_t> out);

}  // namespace ffe::crypto
