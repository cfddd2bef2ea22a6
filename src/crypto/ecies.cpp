#include "crypto/ecies.hpp"

#include "crypto/aead.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"

namespace ffe::crypto {
namespace {

SecretBytes derive_key(const PublicKey& ephemeral, const SecretBytes& shared_point) {
  SecretBytes ikm(ephemeral.size() + shared_point.size());
  std::copy(ephemeral.begin(), ephemeral.end(), ikm.data());
  std::copy_n(shared_point.data(), shared_point.size(), ikm.data() + ephemeral.size());
  return hkdf_sha256(ikm.view(), {}, {}, 32);
}

}  // namespace

Bytes ecies_seal_with(const PrivateKey& ephemeral, const FixedBytes<16>& nonce,
                      const PublicKey& recipient, ByteView plaintext) {
  PublicKey public_key = ephemeral.public_key();
  SecretBytes key = derive_key(public_key, ephemeral.ecdh_point(recipient));
  Bytes sealed = aes256gcm_seal(key.view(), nonce.bytes, {}, plaintext);
  ByteView view = sealed;
  return concat({public_key.bytes, nonce.bytes, view.last(kAeadTag), view.first(plaintext.size())});
}

Bytes ecies_seal(const PublicKey& recipient, ByteView plaintext) {
  FixedBytes<16> nonce;
  random_bytes(nonce.bytes);
  return ecies_seal_with(PrivateKey::generate(), nonce, recipient, plaintext);
}

SecretBytes ecies_open(const PrivateKey& key, ByteView sealed, size_t nonce_bytes) {
  const size_t overhead = 65 + nonce_bytes + kAeadTag;
  if (sealed.size() < overhead) {
    throw Error(ErrorCode::kCorrupt, "an ECIES message has at least " + std::to_string(overhead) +
                                         " bytes, not " + std::to_string(sealed.size()));
  }
  PublicKey ephemeral = PublicKey::from(sealed.first(65));
  SecretBytes shared_point;
  try {
    shared_point = key.ecdh_point(ephemeral);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kKey) throw;
    throw Error(ErrorCode::kCorrupt, "the ECIES message does not begin with a secp256k1 point");
  }
  ByteView nonce = sealed.subspan(65, nonce_bytes);
  ByteView tag = sealed.subspan(65 + nonce_bytes, kAeadTag);
  ByteView ciphertext = sealed.subspan(overhead);
  SecretBytes out(ciphertext.size());
  aes256gcm_open_into(derive_key(ephemeral, shared_point).view(), nonce, {},
                      concat({ciphertext, tag}), out.span());
  return out;
}

}  // namespace ffe::crypto
