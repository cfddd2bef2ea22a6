#include "crypto/hash.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace ffe::crypto {
namespace {

void check(int ok, const char* what) {
  if (ok != 1) throw Error(ErrorCode::kInternal, std::string("OpenSSL refused ") + what);
}

template <size_t N>
FixedBytes<N> digest(const EVP_MD* type, ByteView message) {
  FixedBytes<N> out;
  check(EVP_Digest(message.data(), message.size(), out.data(), nullptr, type, nullptr), "a digest");
  return out;
}

// HMAC_* functions of OpenSSL want a key pointer even for an empty key.
void hmac_into(uint8_t* out, ByteView key, ByteView message) {
  static constexpr uint8_t kNothing = 0;
  unsigned length = 0;
  const uint8_t* k = key.empty() ? &kNothing : key.data();
  const uint8_t* m = message.empty() ? &kNothing : message.data();
  uint8_t* got =
      HMAC(EVP_sha256(), k, static_cast<int>(key.size()), m, message.size(), out, &length);
  check(got != nullptr && length == 32, "an HMAC");
}

}  // namespace

H256 sha256(ByteView message) {
  return digest<32>(EVP_sha256(), message);
}
FixedBytes<48> sha384(ByteView message) {
  return digest<48>(EVP_sha384(), message);
}
FixedBytes<64> sha512(ByteView message) {
  return digest<64>(EVP_sha512(), message);
}

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();

  Context() {
    check(evp != nullptr, "memory");
    reset();
  }
  ~Context() { EVP_MD_CTX_free(evp); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void reset() { check(EVP_DigestInit_ex(evp, EVP_sha256(), nullptr), "SHA-256"); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView data) {
  check(EVP_DigestUpdate(context_->evp, data.data(), data.size()), "SHA-256");
}

H256 Sha256::finish() {
  H256 out;
  check(EVP_DigestFinal_ex(context_->evp, out.data(), nullptr), "SHA-256");
  context_->reset();
  return out;
}

H256 hmac_sha256(ByteView key, ByteView message) {
  H256 out;
  hmac_into(out.data(), key, message);
  return out;
}

SecretBytes hkdf_sha256_extract(ByteView salt, ByteView ikm) {
  // HMAC pads its key with zeros, so an empty salt and 32 zero bytes are the same key.
  SecretBytes prk(size_t{32});
  hmac_into(prk.data(), salt, ikm);
  return prk;
}

SecretBytes hkdf_sha256_expand(ByteView prk, ByteView info, size_t length) {
  if (length > 255 * 32) {
    throw Error(ErrorCode::kBadInput, "HKDF-SHA256 gives at most 8160 bytes");
  }
  SecretBytes out(length);
  SecretBytes input(32 + info.size() + 1);
  SecretBytes block(size_t{32});
  for (size_t done = 0, round = 1; done < length; ++round) {
    size_t previous = round == 1 ? 0 : 32;
    std::copy_n(block.data(), previous, input.data());
    std::copy(info.begin(), info.end(), input.data() + previous);
    input.data()[previous + info.size()] = static_cast<uint8_t>(round);
    hmac_into(block.data(), prk, input.view().first(previous + info.size() + 1));
    size_t n = std::min<size_t>(32, length - done);
    std::copy_n(block.data(), n, out.data() + done);
    done += n;
  }
  return out;
}

SecretBytes hkdf_sha256(ByteView ikm, ByteView salt, ByteView info, size_t length) {
  return hkdf_sha256_expand(hkdf_sha256_extract(salt, ikm).view(), info, length);
}

}  // namespace ffe::crypto
