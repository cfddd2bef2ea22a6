// Any bytes are a certificate, a PEM chain, a revocation list, the SGX extension of a PCK
// certificate, or an Error. A certificate has one encoding, and PEM of it comes back the same.
#include <cstdlib>

#include "fuzz/tolerate.hpp"
#include "tee/pck_extension.hpp"
#include "tee/trust.hpp"
#include "tee/x509.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  ByteView bytes(data, size);
  tolerate([&] {
    tee::Certificate certificate = tee::Certificate::from_der(bytes);
    if (!std::ranges::equal(certificate.der(), bytes)) std::abort();
    std::string pem = tee::to_pem(certificate);
    if (tee::parse_pem_chain(pem, 1).at(0).der() != certificate.der()) std::abort();
    certificate.common_name();
    certificate.serial();
    for (auto role : {tee::Role::kRoot, tee::Role::kIntermediate, tee::Role::kLeaf}) {
      tolerate([&] { tee::check_certificate(certificate, certificate, role, 1767225600); });
    }
    tolerate([&] { tee::pck_extension(certificate); });
    tolerate([&] { tee::development_root(bytes); });
    tolerate([&] { certificate.not_after(); });
  });
  tolerate([&] {
    for (const tee::Certificate& c : tee::parse_pem_chain(as_text(bytes), 3)) c.common_name();
  });
  tolerate([&] {
    tee::RevocationList list = tee::RevocationList::from_der(bytes);
    list.entries();
    list.next_update();
  });
  tolerate([&] { tee::parse_pck_extension(bytes); });
  return 0;
}
