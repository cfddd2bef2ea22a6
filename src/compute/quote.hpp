// The evidence of a fine-tuning provider (GET /v1/quote) and who it says signs there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/address.hpp"

namespace ffe::compute {

// What a quote's 64 bytes of report data say, in either of 0G's two layouts: the signer's address
// as text (legacy), or enc_pub(32) ‖ signer(20) ‖ version(4)=1 ‖ zeros.
struct ReportData {
  Address signer;
  std::optional<FixedBytes<32>> enc_pub;
};
// Throws Error{kAttestation} for anything else.
ReportData parse_report_data(ByteView report_data);
FixedBytes<64> legacy_report_data(const Address& signer);
FixedBytes<64> report_data_v1(const FixedBytes<32>& enc_pub, const Address& signer);

// How far the evidence was checked; each level holds those before it.
enum class QuoteLevel {
  kNone,         // a mock TEE: proves nothing, allowed on local networks only
  kSigner,       // the report data name the service's signer
  kApplication,  // and the TDX report holds the hash of the application's compose file
};

struct QuoteCheck {
  ReportData report;
  QuoteLevel level = QuoteLevel::kNone;
  Bytes quote;  // raw TDX quote for a DCAP verification; empty for a mock
  std::string
      app_compose;  // what runs there, by its own word; hashed into the quote at kApplication
};

// Reads the provider's JSON and checks it against the signer that the chain names. Throws
// Error{kAttestation} if they differ, if the quote's own report data differ from those beside it,
// or for a mock unless `allow_mock`.
QuoteCheck check_quote(std::string_view json, const Address& tee_signer, bool allow_mock);

}  // namespace ffe::compute
