// Trust anchors: whose root key a chain must end in.
#pragma once

#include <string>

#include "base/bytes.hpp"

namespace ffe::tee {

// A root certificate, pinned by the SHA-256 of its DER and by its public key.
struct TrustAnchor {
  std::string name;
  H256 certificate_sha256;
  FixedBytes<64> public_key;  // x ‖ y, P-256
  bool development = false;   // results carry simulated = true
};

// "Intel SGX Root CA" (2018 to 2049). Compiled in; there is no way to load it from a file.
TrustAnchor intel_root();

// A simulator's root. Quotes below it prove nothing: whoever holds the simulator's folder can sign
// anything. Throws Error{kBadInput} unless `der` is one P-256 certificate, kUsage for Intel's root.
TrustAnchor development_root(ByteView der);

}  // namespace ffe::tee
