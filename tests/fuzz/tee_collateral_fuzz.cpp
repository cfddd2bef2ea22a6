// Any bytes are a collateral bundle or an Error, and a bundle survives its own JSON; any bytes are
// a signed document as Intel's service sends it, or an Error, and what is cut out lies in them.
#include <cstdlib>

#include "fuzz/tolerate.hpp"
#include "tee/collateral.hpp"
#include "tee/collateral_source.hpp"
#include "tee/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ffe;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    Json json = parse_json(text, "fuzz");
    tolerate([&] { tee::policy_from_json(json); });
    tee::Collateral collateral = tee::collateral_from_json(json);
    if (tee::to_json(tee::collateral_from_json(tee::to_json(collateral))) !=
        tee::to_json(collateral)) {
      std::abort();
    }
    tee::collateral_expiry(collateral);
  });
  for (const char* member : {"tcbInfo", "enclaveIdentity"}) {
    tolerate([&] {
      tee::SignedDocument document = tee::split_signed_document(text, member);
      if (text.find(document.text) == std::string_view::npos) std::abort();
      parse_json(document.text, "inner");
    });
  }
  return 0;
}
