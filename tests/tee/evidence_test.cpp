// Evidence in every form that it comes in.
#include "tee/evidence.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "tee/samples.hpp"

namespace ffe::tee {
namespace {

TEST(EvidenceForms, OursRoundTrips) {
  Evidence in;
  in.quote = {1, 2, 3};
  in.event_log_format = EventLogFormat::kCcel;
  in.event_log = {4, 5};
  in.runtime_data = {6};
  Evidence out = evidence_from_json(to_json(in));
  EXPECT_EQ(out.quote, in.quote);
  EXPECT_EQ(out.event_log, in.event_log);
  EXPECT_EQ(out.event_log_format, EventLogFormat::kCcel);
  EXPECT_EQ(out.runtime_data, in.runtime_data);
  std::string text = to_json(in).dump();
  EXPECT_EQ(read_evidence(as_bytes(text)).event_log, in.event_log);
}

TEST(EvidenceForms, BinaryHexadecimalAndTapp) {
  Bytes binary = {4, 0, 2, 0};
  EXPECT_EQ(read_evidence(binary).quote, binary);
  for (std::string_view hex : {"04000200\n", "0x04000200"}) {
    EXPECT_EQ(read_evidence(as_bytes(hex)).quote, binary);
  }
  std::string_view tapp = R"({"quote":"BAACAA==","cc_eventlog":"AAAA","runtime_data":"e30="})";
  Evidence out = read_evidence(as_bytes(tapp));
  EXPECT_EQ(out.quote, binary);
  EXPECT_EQ(out.event_log_format, EventLogFormat::kCcel);
  EXPECT_EQ(as_text(out.runtime_data), "{}");
}

TEST(EvidenceForms, DamageIsAnError) {
  for (std::string_view bad : {R"({"quote":"0x1"})", R"({})", R"({"quote":"0x","eventLog":"AA"})",
                               R"({"quote":"0x","eventLog":"AAAA","eventLogFormat":"x"})",
                               R"({"quote":"00","event_log":7})", "{", "0xzz"}) {
    EXPECT_THROW(read_evidence(as_bytes(bad)), Error) << bad;
  }
}

TEST(EvidenceForms, RecordedAnswersOfDstack) {
  FFE_NEED_SAMPLES();
  for (const char* name : {"dstack/quote-report.json", "dstack/tdx-lite-getquote.json"}) {
    Evidence out = read_evidence(sample(name));
    EXPECT_EQ(out.event_log_format, EventLogFormat::kDstack) << name;
    EXPECT_EQ(parse_quote(out.quote).version, 4) << name;
  }
}

}  // namespace
}  // namespace ffe::tee
