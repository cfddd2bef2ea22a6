#include "compute/quote.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "support/error_of.hpp"

namespace ffe::compute {
namespace {

using test::error_of;

const Address kSigner = crypto::parse_address("0x24135b4Bd964872284728F79F5f17eB874C5583A");
constexpr const char* kCompose = R"({"docker_compose_file":"services: {}"})";

// A quote's bytes with what is looked at here in their places, and the provider's JSON around it.
Json evidence(const FixedBytes<64>& report_data, const std::string& hashed = kCompose) {
  Bytes quote(1020);
  quote[232] = 1;
  H256 hash = crypto::sha256(as_bytes(hashed));
  std::copy(hash.begin(), hash.end(), quote.begin() + 233);
  std::copy(report_data.begin(), report_data.end(), quote.begin() + 568);
  return {{"quote", to_hex(quote)},
          {"report_data", to_base64(report_data.bytes)},
          {"tcb_info", Json{{"app_compose", kCompose}}.dump()}};
}

std::string refusal(const Json& json, const Address& signer = kSigner) {
  return error_of([&] { check_quote(json.dump(), signer, false); });
}

TEST(ComputeQuote, ReadsBothLayouts) {
  FixedBytes<32> enc = FixedBytes<32>::from(Bytes(32, 5));
  ReportData legacy = parse_report_data(legacy_report_data(kSigner).bytes);
  EXPECT_EQ(legacy.signer, kSigner);
  EXPECT_FALSE(legacy.enc_pub);
  ReportData v1 = parse_report_data(report_data_v1(enc, kSigner).bytes);
  EXPECT_EQ(v1.signer, kSigner);
  EXPECT_EQ(v1.enc_pub, enc);
}

TEST(ComputeQuote, RefusesOtherLayouts) {
  auto refused = [](Bytes data) {
    return error_of([&] { parse_report_data(data); }).substr(0, 12) == "attestation:";
  };
  EXPECT_TRUE(refused(Bytes(64)));
  EXPECT_TRUE(refused(Bytes(63)));
  FixedBytes<64> v1 = report_data_v1({}, kSigner);
  for (size_t i = 52; i < 64; ++i) {
    Bytes bad(v1.begin(), v1.end());
    bad[i] ^= 2;
    EXPECT_TRUE(refused(bad)) << i;
  }
  FixedBytes<64> legacy = legacy_report_data(kSigner);
  Bytes bad(legacy.begin(), legacy.end());
  bad[10] = 'z';
  EXPECT_TRUE(refused(bad));
}

TEST(ComputeQuote, LevelIsWhatTheReportHolds) {
  QuoteCheck full = check_quote(evidence(legacy_report_data(kSigner)).dump(), kSigner, false);
  EXPECT_EQ(full.level, QuoteLevel::kApplication);
  EXPECT_EQ(full.app_compose, kCompose);
  QuoteCheck other =
      check_quote(evidence(legacy_report_data(kSigner), "another").dump(), kSigner, false);
  EXPECT_EQ(other.level, QuoteLevel::kSigner);
  EXPECT_TRUE(other.app_compose.empty());
}

TEST(ComputeQuote, OneSignerInQuoteJsonAndChain) {
  Json good = evidence(legacy_report_data(kSigner));
  Address other = crypto::parse_address("0x325744be57db298C2652c672B32Eb12875d92D83");
  EXPECT_NE(refusal(good, other).find("the chain"), std::string::npos);
  Json swapped = good;
  swapped["report_data"] = to_base64(legacy_report_data(other).bytes);
  EXPECT_NE(refusal(swapped, other).find("other report data"), std::string::npos);
  Json cut = good;
  cut["quote"] = good["quote"].get<std::string>().substr(0, 1000);
  EXPECT_NE(refusal(cut).find("cut off"), std::string::npos);
  for (const char* member : {"quote", "report_data"}) {
    for (const Json& value : {Json(nullptr), Json(5), Json(""), Json("zz"), Json("mock")}) {
      Json bad = good;
      bad[member] = value;
      EXPECT_EQ(refusal(bad).substr(0, 12), "attestation:") << member << value;
    }
  }
  EXPECT_EQ(refusal(Json::array()).substr(0, 12), "attestation:");
}

}  // namespace
}  // namespace ffe::compute
