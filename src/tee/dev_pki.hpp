// A development PKI in the shapes of Intel's: used by the simulator, of no other worth.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "tee/openssl.hpp"
#include "tee/pck_extension.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {

// A P-256 key pair.
class DevKey {
 public:
  static DevKey generate();
  static DevKey from_der(ByteView der);  // throws Error{kCorrupt}
  Bytes der() const;
  FixedBytes<64> public_key() const;            // x ‖ y
  FixedBytes<64> sign(ByteView message) const;  // ECDSA with SHA-256, r ‖ s
  EVP_PKEY* handle() const { return key_.get(); }

 private:
  KeyPtr key_;
};

struct CertificateRequest {
  std::string common_name;
  Role role = Role::kLeaf;
  Bytes sgx_extension;  // DER; leaf PCK certificates only
};

// X.509 v3, ecdsa-with-SHA256, extensions in Intel's order, a random 20-byte serial, valid 2024 to
// 2049. Without an issuer the certificate signs itself.
Certificate make_certificate(const CertificateRequest& request, const DevKey& key,
                             const Certificate* issuer, const DevKey& issuer_key);

// Version 2 with authority key identifier and CRL number.
Bytes make_crl(const Certificate& issuer, const DevKey& issuer_key, int64_t issued,
               int64_t next_update, const std::vector<const Certificate*>& revoked);

// The SGX extension of a platform with these values, as Intel's CA lays it out.
Bytes make_sgx_extension(const PckExtension& values);

}  // namespace ffe::tee
