#include "tee/provider.hpp"

#include "tee/quote.hpp"

namespace ffe::tee {

Collateral EvidenceProvider::collateral() {
  throw Error(ErrorCode::kUnsupported, name() + " does not hand out collateral",
              "fetch it from a PCCS or from Intel's service");
}

void check_evidence(const Evidence& evidence, const FixedBytes<64>& report_data) {
  if (parse_quote(evidence.quote).td.report_data != report_data) {
    throw Error(ErrorCode::kAttestation,
                evidence.provider + ": the quote is over other report data than was asked for",
                "another process may be using the same interface; try again");
  }
}

}  // namespace ffe::tee
