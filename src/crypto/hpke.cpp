#include "crypto/hpke.hpp"

#include <limits>

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"

namespace ffe::crypto {
namespace {

constexpr size_t kHash = 32;
constexpr uint8_t kModeBase = 0;
// "KEM" ‖ kem_id, and "HPKE" ‖ kem_id ‖ kdf_id ‖ aead_id.
constexpr uint8_t kKemSuite[] = {'K', 'E', 'M', 0x00, 0x20};
constexpr uint8_t kHpkeSuite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03};

// Concatenation in memory that is wiped, because some parts are secret.
SecretBytes join(std::initializer_list<ByteView> parts) {
  size_t total = 0;
  for (ByteView part : parts) total += part.size();
  SecretBytes out(total);
  uint8_t* p = out.data();
  for (ByteView part : parts) p = std::copy(part.begin(), part.end(), p);
  return out;
}

// RFC 9180 §4.
SecretBytes labeled_extract(ByteView suite, ByteView salt, std::string_view label, ByteView ikm) {
  return hkdf_sha256_extract(salt, join({as_bytes("HPKE-v1"), suite, as_bytes(label), ikm}).view());
}

SecretBytes labeled_expand(ByteView suite, const SecretBytes& prk, std::string_view label,
                           ByteView info, size_t length) {
  if (length > 255 * kHash) {
    throw Error(ErrorCode::kBadInput, "HPKE exports at most 8160 bytes");
  }
  const uint8_t size[] = {static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
  SecretBytes full = join({size, as_bytes("HPKE-v1"), suite, as_bytes(label), info});
  return hkdf_sha256_expand(prk.view(), full.view(), length);
}

// DHKEM §4.1: what both sides derive from the Diffie–Hellman value.
SecretBytes kem_secret(const SecretBytes& dh, const FixedBytes<32>& enc,
                       const FixedBytes<32>& recipient) {
  SecretBytes prk = labeled_extract(kKemSuite, {}, "eae_prk", dh.view());
  return labeled_expand(kKemSuite, prk, "shared_secret", concat({enc.bytes, recipient.bytes}),
                        kHash);
}

}  // namespace

X25519KeyPair hpke_derive_key_pair(ByteView ikm) {
  if (ikm.size() < 32) throw Error(ErrorCode::kKey, "a key pair is derived from 32 bytes or more");
  SecretBytes prk = labeled_extract(kKemSuite, {}, "dkp_prk", ikm);
  return X25519KeyPair::from(labeled_expand(kKemSuite, prk, "sk", {}, 32).view());
}

HpkeContext::HpkeContext(ByteView shared_secret, ByteView info) {
  SecretBytes psk_id_hash = labeled_extract(kHpkeSuite, {}, "psk_id_hash", {});
  SecretBytes info_hash = labeled_extract(kHpkeSuite, {}, "info_hash", info);
  Bytes schedule = concat({{&kModeBase, 1}, psk_id_hash.view(), info_hash.view()});
  SecretBytes secret = labeled_extract(kHpkeSuite, shared_secret, "secret", {});
  key_ = labeled_expand(kHpkeSuite, secret, "key", schedule, 32);
  base_nonce_ = labeled_expand(kHpkeSuite, secret, "base_nonce", schedule, 12);
  exporter_secret_ = labeled_expand(kHpkeSuite, secret, "exp", schedule, kHash);
}

FixedBytes<12> HpkeContext::next_nonce() const {
  if (sequence_ == std::numeric_limits<uint64_t>::max()) {
    throw Error(ErrorCode::kFailed, "an HPKE context came to the end of its message numbers");
  }
  FixedBytes<12> nonce = FixedBytes<12>::from(base_nonce_.view());
  for (size_t i = 0; i < 8; ++i) nonce[11 - i] ^= static_cast<uint8_t>(sequence_ >> 8 * i);
  return nonce;
}

Bytes HpkeContext::seal(ByteView aad, ByteView plaintext) {
  Bytes out = chacha20poly1305_seal(key_.view(), next_nonce().bytes, aad, plaintext);
  ++sequence_;
  return out;
}

Bytes HpkeContext::open(ByteView aad, ByteView ciphertext) {
  Bytes out = chacha20poly1305_open(key_.view(), next_nonce().bytes, aad, ciphertext);
  ++sequence_;
  return out;
}

SecretBytes HpkeContext::open_secret(ByteView aad, ByteView ciphertext) {
  SecretBytes out(ciphertext.size() < kAeadTag ? 0 : ciphertext.size() - kAeadTag);
  chacha20poly1305_open_into(key_.view(), next_nonce().bytes, aad, ciphertext, out.span());
  ++sequence_;
  return out;
}

SecretBytes HpkeContext::export_secret(ByteView exporter_context, size_t length) const {
  return labeled_expand(kHpkeSuite, exporter_secret_, "sec", exporter_context, length);
}

HpkeSender::HpkeSender(const FixedBytes<32>& recipient, ByteView info,
                       const X25519KeyPair& ephemeral)
    : enc_(ephemeral.public_key),
      context_(kem_secret(x25519(ephemeral.secret.view(), recipient), enc_, recipient).view(),
               info) {}

HpkeSender::HpkeSender(const FixedBytes<32>& recipient, ByteView info)
    : HpkeSender(recipient, info, X25519KeyPair::generate()) {}

HpkeReceiver::HpkeReceiver(const X25519KeyPair& key, const FixedBytes<32>& enc, ByteView info)
    : context_(kem_secret(x25519(key.secret.view(), enc), enc, key.public_key).view(), info) {}

Bytes hpke_seal_single(const FixedBytes<32>& recipient, ByteView info, ByteView aad,
                       ByteView plaintext) {
  HpkeSender sender(recipient, info);
  return concat({sender.enc().bytes, sender.seal(aad, plaintext)});
}

SecretBytes hpke_open_single(const X25519KeyPair& key, ByteView info, ByteView aad,
                             ByteView sealed) {
  if (sealed.size() < 32 + kHpkeTag) {
    throw Error(ErrorCode::kCorrupt,
                "an HPKE message has at least 48 bytes, not " + std::to_string(sealed.size()));
  }
  HpkeReceiver receiver(key, FixedBytes<32>::from(sealed.first(32)), info);
  return receiver.open_secret(aad, sealed.subspan(32));
}

}  // namespace ffe::crypto
