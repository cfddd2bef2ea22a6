#include "session/artifact.hpp"

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"

namespace ffe::session {

ArtifactKey derive_artifact_key(ByteView session_secret, const H256& session_hash, ByteView tar) {
  const Bytes info =
      concat({as_bytes("ffe/artifact/v1"), session_hash.bytes, crypto::sha256(tar).bytes});
  const SecretBytes okm = crypto::hkdf_sha256(session_secret, {}, info, kArtifactKey + 12);
  return {SecretBytes(okm.view().first(kArtifactKey)),
          FixedBytes<12>::from(okm.view().subspan(kArtifactKey))};
}

Bytes seal_artifact(const ArtifactKey& key, ByteView tar) {
  Bytes out(tar.size() + kArtifactOverhead);
  std::copy(key.nonce.begin(), key.nonce.end(), out.begin());
  crypto::aes256gcm_seal_into(key.key.view(), key.nonce.bytes, {}, tar, std::span(out).subspan(12));
  return out;
}

SecretBytes open_artifact(ByteView key, ByteView artifact) {
  if (artifact.size() < kArtifactOverhead) {
    throw Error(ErrorCode::kCorrupt, "artifact: shorter than 28 bytes");
  }
  SecretBytes tar(artifact.size() - kArtifactOverhead);
  try {
    crypto::aes256gcm_open_into(key, artifact.first(12), {}, artifact.subspan(12), tar.span());
  } catch (const Error&) {
    throw Error(ErrorCode::kCorrupt, "artifact: does not open with this key",
                "the key is another token's, or the bytes were altered");
  }
  return tar;
}

}  // namespace ffe::session
