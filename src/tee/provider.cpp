#include "tee/provider.hpp"

#include "crypto/hash.hpp"
#include "tee/quote.hpp"
#include "tee/tapp.hpp"

namespace ffe::tee {

Collateral EvidenceProvider::collateral() {
  throw Error(ErrorCode::kUnsupported, name() + " does not hand out collateral",
              "fetch it from a PCCS or from Intel's service");
}

void check_evidence(const Evidence& evidence, const FixedBytes<64>& wanted) {
  const FixedBytes<64> found = parse_quote(evidence.quote).td.report_data;
  bool bound = found == wanted;
  if (!evidence.runtime_data.empty()) {
    TappRuntimeData data = parse_tapp_runtime_data(evidence.runtime_data);
    ByteView view = wanted.bytes;
    bound = crypto::sha512(evidence.runtime_data) == found &&
            std::equal(data.signer.begin(), data.signer.end(), view.begin()) &&
            std::ranges::equal(data.nonce, view.subspan(20, 32));
  }
  if (!bound) {
    throw Error(ErrorCode::kAttestation,
                evidence.provider + ": the quote is over other data than was asked for",
                "another process may be using the same interface; try again");
  }
}

}  // namespace ffe::tee
