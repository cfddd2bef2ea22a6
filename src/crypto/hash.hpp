// SHA-2, HMAC (RFC 2104) and HKDF (RFC 5869), all on OpenSSL.
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace ffe::crypto {

H256 sha256(ByteView message);
FixedBytes<48> sha384(ByteView message);
FixedBytes<64> sha512(ByteView message);

// Incremental SHA-256. After finish() the object is as new.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(ByteView data);
  H256 finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

H256 hmac_sha256(ByteView key, ByteView message);

// HKDF-SHA256, extract and expand. An empty `salt` means 32 zero bytes, as RFC 5869 §2.2 says.
// Throws Error{kBadInput} if `length` is above 255 * 32.
SecretBytes hkdf_sha256(ByteView ikm, ByteView salt, ByteView info, size_t length);

// The two halves, for HPKE's labelled forms.
SecretBytes hkdf_sha256_extract(ByteView salt, ByteView ikm);
SecretBytes hkdf_sha256_expand(ByteView prk, ByteView info, size_t length);

}  // namespace ffe::crypto
