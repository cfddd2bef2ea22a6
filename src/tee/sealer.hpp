// Sealing with a 32-byte key that the platform gives to this enclave again after a restart.
#pragma once

#include <string>

#include "tee/provider.hpp"

namespace ffe::tee {

// AES-256-GCM: nonce(12) ‖ ciphertext ‖ tag(16), the nonce random, `context` as additional data.
class KeySealer final : public PlatformSealer {
 public:
  // Throws Error{kBadInput} unless the key has 32 bytes.
  KeySealer(SecretBytes key, std::string context);

  Bytes seal(ByteView plaintext) const override;
  SecretBytes open(ByteView sealed) const override;

 private:
  SecretBytes key_;
  std::string context_;
};

}  // namespace ffe::tee
