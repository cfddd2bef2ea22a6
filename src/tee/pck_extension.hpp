// The SGX extension of a PCK certificate (OID 1.2.840.113741.1.13.1): which machine it is and which
// security versions its certificate stands for.
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {

struct PckExtension {
  FixedBytes<16> ppid;
  std::array<uint8_t, 16> components{};  // SGX TCB component SVNs
  uint16_t pce_svn = 0;
  FixedBytes<16> cpu_svn;
  FixedBytes<2> pce_id;
  FixedBytes<6> fmspc;
  FixedBytes<16>
      platform_instance_id;  // zero for certificates of the processor CA, which have none
};

// Throws Error{kBadInput} unless the certificate has exactly one such extension, in strict DER,
// with every mandatory field once.
PckExtension pck_extension(const Certificate& pck);
PckExtension parse_pck_extension(ByteView der);

}  // namespace ffe::tee
