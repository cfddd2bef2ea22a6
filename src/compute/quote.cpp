#include "compute/quote.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace ffe::compute {
namespace {

// Offsets in a version 4 TDX quote.
constexpr size_t kConfigId = 232;
constexpr size_t kReportData = 568;

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::kAttestation, "the provider's evidence: " + why,
              "do not send data to this provider; choose another: ffe compute providers");
}

std::string text_member(const Json& json, std::string_view key) {
  auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// The compose file as the provider shows it, if its hash is in the signed report: mr_config_id is
// 0x01 ‖ sha256 ‖ zeros.
std::string proven_compose(const Json& json, ByteView quote) {
  std::string info = text_member(json, "tcb_info");
  if (info.empty()) return {};
  std::string compose = text_member(parse_json(info, "tcb_info"), "app_compose");
  if (compose.empty() || quote[kConfigId] != 1) return {};
  H256 hash = crypto::sha256(as_bytes(compose));
  bool same = std::equal(hash.begin(), hash.end(), quote.begin() + kConfigId + 1);
  return same ? compose : std::string();
}

}  // namespace

ReportData parse_report_data(ByteView d) {
  if (d.size() != 64) refuse("its report data do not have 64 bytes");
  auto zeros = [&](size_t from) {
    return std::all_of(d.begin() + static_cast<ptrdiff_t>(from), d.end(),
                       [](uint8_t b) { return b == 0; });
  };
  if (d[0] == '0' && d[1] == 'x' && zeros(42)) {
    try {
      return {crypto::parse_address(as_text(d.first(42))), std::nullopt};
    } catch (const Error&) {
      refuse("its report data hold no address");
    }
  }
  if (get_be32(d.data() + 52) != 1 || !zeros(56)) refuse("its report data have an unknown layout");
  return {Address::from(d.subspan(32, 20)), FixedBytes<32>::from(d.first(32))};
}

FixedBytes<64> legacy_report_data(const Address& signer) {
  FixedBytes<64> out;
  std::string text = crypto::checksum_address(signer);
  std::copy(text.begin(), text.end(), out.begin());
  return out;
}

FixedBytes<64> report_data_v1(const FixedBytes<32>& enc_pub, const Address& signer) {
  FixedBytes<64> out;
  std::copy(enc_pub.begin(), enc_pub.end(), out.begin());
  std::copy(signer.begin(), signer.end(), out.begin() + 32);
  put_be32(out.data() + 52, 1);
  return out;
}

QuoteCheck check_quote(std::string_view text, const Address& tee_signer, bool allow_mock) {
  Json json = parse_json(text, "quote", {.max_bytes = 16u << 20});
  if (!json.is_object()) refuse("it is no JSON object");
  std::string quote = text_member(json, "quote");
  QuoteCheck out;
  Bytes beside;
  try {
    beside = from_base64(text_member(json, "report_data"));
    if (quote != "mock") out.quote = from_hex(quote);
  } catch (const Error& e) {
    refuse(e.what());
  }
  out.report = parse_report_data(beside);
  if (out.quote.empty()) {
    if (quote != "mock") refuse("it holds no quote");
    if (!allow_mock) refuse("it is of a mock TEE, which proves nothing");
  } else {
    if (out.quote.size() < kReportData + 64) refuse("its quote is cut off");
    ByteView inside = ByteView(out.quote).subspan(kReportData, 64);
    if (!std::equal(inside.begin(), inside.end(), beside.begin(), beside.end())) {
      refuse("its quote is about other report data");
    }
    out.level = QuoteLevel::kSigner;
    out.app_compose = proven_compose(json, out.quote);
    if (!out.app_compose.empty()) out.level = QuoteLevel::kApplication;
  }
  if (out.report.signer != tee_signer) {
    refuse("it names the signer " + crypto::checksum_address(out.report.signer) + ", the chain " +
           crypto::checksum_address(tee_signer));
  }
  return out;
}

}  // namespace ffe::compute
