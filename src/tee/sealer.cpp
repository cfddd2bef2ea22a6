#include "tee/sealer.hpp"

#include "crypto/aead.hpp"
#include "crypto/random.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kKey = 32;
constexpr size_t kNonce = 12;

}  // namespace

KeySealer::KeySealer(SecretBytes key, std::string context)
    : key_(std::move(key)), context_(std::move(context)) {
  if (key_.size() != kKey) {
    throw Error(ErrorCode::kBadInput,
                "the platform's sealing key has " + std::to_string(key_.size()) + " bytes, not 32",
                "its key service speaks another protocol or version");
  }
}

Bytes KeySealer::seal(ByteView plaintext) const {
  Bytes nonce(kNonce);
  crypto::random_bytes(nonce);
  return concat({nonce, crypto::aes256gcm_seal(key_.view(), nonce, as_bytes(context_), plaintext)});
}

SecretBytes KeySealer::open(ByteView sealed) const {
  if (sealed.size() < kNonce + crypto::kAeadTag) {
    throw Error(ErrorCode::kCorrupt, "sealed data is too short",
                "it was not sealed by this platform");
  }
  SecretBytes out(sealed.size() - kNonce - crypto::kAeadTag);
  crypto::aes256gcm_open_into(key_.view(), sealed.first(kNonce), as_bytes(context_),
                              sealed.subspan(kNonce), out.span());
  return out;
}

}  // namespace ffe::tee
