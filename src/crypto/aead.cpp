#include "crypto/aead.hpp"

#include <limits>
#include <memory>
#include <openssl/evp.h>

#include "base/secret.hpp"

namespace ffe::crypto {
namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

void check(int ok) {
  if (ok != 1) throw Error(ErrorCode::kInternal, "OpenSSL refused an AEAD operation");
}

struct Cipher {
  const EVP_CIPHER* evp;
  bool long_nonce;  // accepts 16 bytes beside 12
};

Cipher aes256gcm() {
  return {EVP_aes_256_gcm(), true};
}
Cipher chacha20poly1305() {
  return {EVP_chacha20_poly1305(), false};
}

Context start(const Cipher& cipher, ByteView key, ByteView nonce, ByteView aad, bool encrypt) {
  if (key.size() != 32) throw Error(ErrorCode::kBadInput, "an AEAD key has 32 bytes");
  if (nonce.size() != 12 && !(cipher.long_nonce && nonce.size() == 16)) {
    throw Error(ErrorCode::kBadInput,
                "an AEAD nonce of " + std::to_string(nonce.size()) + " bytes");
  }
  Context context(EVP_CIPHER_CTX_new());
  check(context != nullptr);
  check(EVP_CipherInit_ex(context.get(), cipher.evp, nullptr, nullptr, nullptr, encrypt));
  check(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(nonce.size()),
                            nullptr));
  check(EVP_CipherInit_ex(context.get(), nullptr, nullptr, key.data(), nonce.data(), encrypt));
  int n = 0;
  if (aad.size() > std::numeric_limits<int>::max()) {
    throw Error(ErrorCode::kBadInput, "associated data of 2 GiB or more");
  }
  if (!aad.empty()) {
    check(EVP_CipherUpdate(context.get(), nullptr, &n, aad.data(), static_cast<int>(aad.size())));
  }
  return context;
}

// EVP counts in int, so large inputs go in slices.
void update(EVP_CIPHER_CTX* context, ByteView in, uint8_t* out) {
  constexpr size_t kSlice = size_t{1} << 30;
  while (!in.empty()) {
    size_t n = std::min(kSlice, in.size());
    int written = 0;
    check(EVP_CipherUpdate(context, out, &written, in.data(), static_cast<int>(n)));
    in = in.subspan(n);
    out += written;
  }
}

void seal_into(const Cipher& cipher, ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
               std::span<uint8_t> out) {
  if (out.size() != plaintext.size() + kAeadTag) {
    throw Error(ErrorCode::kInternal, "the room to seal into has another size");
  }
  Context context = start(cipher, key, nonce, aad, true);
  update(context.get(), plaintext, out.data());
  uint8_t* tag = out.data() + plaintext.size();
  int n = 0;
  check(EVP_CipherFinal_ex(context.get(), tag, &n));
  check(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTag, tag));
}

void open_into(const Cipher& cipher, ByteView key, ByteView nonce, ByteView aad, ByteView sealed,
               std::span<uint8_t> out) {
  if (sealed.size() < kAeadTag) {
    throw Error(ErrorCode::kCorrupt, "sealed data shorter than its tag");
  }
  if (out.size() != sealed.size() - kAeadTag) {
    throw Error(ErrorCode::kInternal, "the room to open into has another size");
  }
  Context context = start(cipher, key, nonce, aad, false);
  FixedBytes<kAeadTag> tag = FixedBytes<kAeadTag>::from(sealed.last(kAeadTag));
  check(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTag, tag.data()));
  update(context.get(), sealed.first(out.size()), out.data());
  int n = 0;
  uint8_t unused[16];
  if (EVP_CipherFinal_ex(context.get(), unused, &n) != 1) {
    wipe(out.data(), out.size());
    throw Error(ErrorCode::kCorrupt, "authentication failed: another key, or the data was changed");
  }
}

Bytes seal(const Cipher& cipher, ByteView key, ByteView nonce, ByteView aad, ByteView plaintext) {
  Bytes out(plaintext.size() + kAeadTag);
  seal_into(cipher, key, nonce, aad, plaintext, out);
  return out;
}

Bytes open(const Cipher& cipher, ByteView key, ByteView nonce, ByteView aad, ByteView sealed) {
  Bytes out(sealed.size() < kAeadTag ? 0 : sealed.size() - kAeadTag);
  open_into(cipher, key, nonce, aad, sealed, out);
  return out;
}

}  // namespace

Bytes aes256gcm_seal(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext) {
  return seal(aes256gcm(), key, nonce, aad, plaintext);
}

Bytes aes256gcm_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed) {
  return open(aes256gcm(), key, nonce, aad, sealed);
}

Bytes chacha20poly1305_seal(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext) {
  return seal(chacha20poly1305(), key, nonce, aad, plaintext);
}

Bytes chacha20poly1305_open(ByteView key, ByteView nonce, ByteView aad, ByteView sealed) {
  return open(chacha20poly1305(), key, nonce, aad, sealed);
}

void aes256gcm_seal_into(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
                         std::span<uint8_t> out) {
  seal_into(aes256gcm(), key, nonce, aad, plaintext, out);
}

void aes256gcm_open_into(ByteView key, ByteView nonce, ByteView aad, ByteView sealed,
                         std::span<uint8_t> out) {
  open_into(aes256gcm(), key, nonce, aad, sealed, out);
}

void chacha20poly1305_seal_into(ByteView key, ByteView nonce, ByteView aad, ByteView plaintext,
                                std::span<uint8_t> out) {
  seal_into(chacha20poly1305(), key, nonce, aad, plaintext, out);
}

void chacha20poly1305_open_into(ByteView key, ByteView nonce, ByteView aad, ByteView sealed,
                                std::span<uint8_t> out) {
  open_into(chacha20poly1305(), key, nonce, aad, sealed, out);
}

}  // namespace ffe::crypto
