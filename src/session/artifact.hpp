// The encrypted artifact (docs/spec/artifact.md): nonce(12) ‖ AES-256-GCM ciphertext ‖ tag(16).
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace ffe::session {

inline constexpr size_t kArtifactKey = 32;
inline constexpr size_t kArtifactOverhead = 12 + 16;

struct ArtifactKey {
  SecretBytes key;  // K, 32 bytes
  FixedBytes<12> nonce;
};

// K ‖ nonce = HKDF-SHA256(session secret, info "ffe/artifact/v1" ‖ sessionHash ‖ SHA-256(tar)): a
// restart gives the same bits, another tar another key.
ArtifactKey derive_artifact_key(ByteView session_secret, const H256& session_hash, ByteView tar);

Bytes seal_artifact(const ArtifactKey& key, ByteView tar);
// The tar. Throws Error{kCorrupt} if the key is not the artifact's or the bytes were changed.
SecretBytes open_artifact(ByteView key, ByteView artifact);

}  // namespace ffe::session
