#include "tee/trust.hpp"

#include "base/hex.hpp"
#include "crypto/hash.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {

TrustAnchor intel_root() {
  TrustAnchor out;
  out.name = "Intel SGX Root CA";
  out.certificate_sha256 =
      h256_from_hex("44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3");
  out.public_key = fixed_from_hex<64>(
      "0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
      "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394");
  return out;
}

TrustAnchor development_root(ByteView der) {
  Certificate root = Certificate::from_der(der);
  TrustAnchor out;
  out.name = root.common_name();
  out.certificate_sha256 = crypto::sha256(der);
  out.public_key = root.public_key();
  out.development = true;
  if (out.public_key == intel_root().public_key) {
    throw Error(ErrorCode::kUsage, "this is Intel's root, not a development root",
                "leave the root out: Intel's is built in");
  }
  return out;
}

}  // namespace ffe::tee
