#include "tee/policy.hpp"

#include <gtest/gtest.h>

#include "tee/trust.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {
namespace {

TEST(Policy, ReadsEveryMember) {
  Json json = {{"tcbStatuses", {"UpToDate", "OutOfDate"}},
               {"advisories", {"INTEL-SA-00001"}},
               {"fmspcs", {"B0C06F000000"}},
               {"platformIds", {"0x" + std::string(32, 'A')}},
               {"workloadIds", {"0x" + std::string(64, '1')}},
               {"platformHashes", {std::string(64, '2')}},
               {"reportData", "0x" + std::string(128, '3')},
               {"minimumEvaluationNumber", 17u}};
  Policy p = policy_from_json(json);
  EXPECT_TRUE(p.tcb_statuses.contains(kOutOfDate));
  EXPECT_TRUE(p.fmspcs->contains("b0c06f000000"));
  EXPECT_TRUE(p.platform_ids->contains(std::string(32, 'a')));
  EXPECT_EQ(p.workload_ids->begin()->bytes[0], 0x11);
  EXPECT_EQ(p.platform_hashes->begin()->bytes[0], 0x22);
  EXPECT_EQ(p.report_data->bytes[63], 0x33);
  EXPECT_EQ(p.minimum_evaluation_number, 17u);
  EXPECT_FALSE(p.allow_development);
  EXPECT_EQ(policy_from_json(Json::object()).tcb_statuses, Policy{}.tcb_statuses);
}

TEST(Policy, RefusesWhatItDoesNotKnow) {
  for (const char* text :
       {R"({"allowDevelopment":true})", R"({"tcbStatuses":["Revoked"]})",
        R"({"tcbStatuses":["uptodate"]})", R"({"tcbStatuses":"UpToDate"})", R"({"advisories":[1]})",
        R"({"workloadIds":["0x12"]})", R"({"fmspcs":["zz"]})", R"({"reportData":"0x00"})",
        R"({"reportData":7})", R"({"minimumEvaluationNumber":-1})",
        R"({"minimumEvaluationNumber":4294967296})", R"([])", R"("x")"}) {
    EXPECT_THROW(policy_from_json(parse_json(text, "policy")), Error) << text;
  }
}

TEST(Dates, OnlyUtcInIsoForm) {
  EXPECT_EQ(parse_utc("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_utc("2026-02-18T10:58:51Z"), 1771412331);
  EXPECT_EQ(format_utc(1771412331), "2026-02-18T10:58:51Z");
  for (const char* text :
       {"", "2026-02-30T00:00:00Z", "2026-2-18T10:58:51Z", "2026-02-18 10:58:51Z",
        "2026-02-18T10:58:51", "2026-02-18T10:58:51Zx", "2026-02-18T24:00:00Z",
        "2026-02-18T10:58:51+00:00", "+026-02-18T10:58:51Z"}) {
    EXPECT_THROW(parse_utc(text), Error) << text;
  }
}

TEST(Trust, IntelsRootIsNoDevelopmentRoot) {
  EXPECT_FALSE(intel_root().development);
  EXPECT_THROW(development_root({}), Error);
  Bytes garbage(600, 0x30);
  EXPECT_THROW(development_root(garbage), Error);
}

}  // namespace
}  // namespace ffe::tee
