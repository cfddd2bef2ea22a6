// The report page: the figures are on it, and nothing that a party wrote becomes markup.
#include "client/report_html.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <regex>

namespace ffe::client {
namespace {

Json some_report() {
  return Json::parse(R"({
    "session": {"id": "41", "baseLossNats": 5.25, "jointLossNats": 2.75, "openTx": "0xopen",
                "finalizeTx": "0xfinal", "artifactRoot": "0xartifact", "gateRoot": "0xgate",
                "seed": "0xseed"},
    "network": {"coordinator": "0xcoordinator"},
    "enclave": {"id": "0xenclave", "codeHash": "0xcode", "simulated": true,
                "numericPath": "f32"},
    "gate": {"policy": {"alphaInverse": 1000}},
    "training": {"lossCurve": [5000000, 3500000, 2000000]},
    "comparison": {"rows": 96, "baseLossNats": 5.25, "jointLossNats": 2.75,
                   "samples": [{"question": "Define: dog", "base": "no idea", "joint": "a pet",
                                "reference": "a domesticated animal"}]},
    "tokens": [{"id": "1001", "owner": "0xalice"}],
    "parties": [
      {"name": "alice", "verdict": "accepted", "rows": 96, "about": "animals",
       "finding": "helps", "evidence": "1", "returnedWei": "500000000000000000",
       "tokenId": "1001", "submitTx": "0xsubmit1", "ownLossNats": 3.5, "adapterSha256": "abcdef"},
      {"name": "mallory", "verdict": "harmful", "rows": 64, "about": "lies", "finding": "harms",
       "evidence": "100000000000000000000000000000000000000000000000000000000000000000000000000",
       "slashed": true, "slashedWei": "500000000000000000", "returnedWei": "0",
       "refused": "owns no token", "submitTx": "0xsubmit2", "slashTx": "0xslash"}
    ]})");
}

size_t count(const std::string& text, const std::string& piece) {
  size_t n = 0;
  for (size_t at = text.find(piece); at != std::string::npos; at = text.find(piece, at + 1)) ++n;
  return n;
}

// Scripts, event handlers and anything fetched from elsewhere.
void expect_self_contained(const std::string& html) {
  static const std::regex kActive(
      "<\\s*(script|iframe|object|embed|link|img|form|base)\\b|"
      "<[a-z][^>]*\\s(on[a-z]+|src|href|srcset|action)\\s*=|javascript:|@import|url\\(",
      std::regex::icase);
  // Quoted attribute values are data.
  std::string tags = std::regex_replace(html, std::regex("=\"[^\"]*\""), "=\"\"");
  std::smatch found;
  EXPECT_FALSE(std::regex_search(tags, found, kActive)) << found.str();
}

TEST(ReportHtml, ShowsTheFigures) {
  std::string html = report_html(some_report());
  for (const char* figure : {"Session 41",
                             "Two parties submitted. One was slashed. One owns one model.",
                             "5.25",
                             "2.75",
                             "3.50 nats",
                             "alice",
                             "mallory",
                             "96 rows",
                             "64 rows",
                             "0.5 0G slashed",
                             "owns token 1001",
                             "owns no token",
                             "Define: dog",
                             "a domesticated animal",
                             "0xopen",
                             "0xsubmit1",
                             "0xslash",
                             "0xfinal",
                             "0xartifact",
                             "0xgate",
                             "0xseed",
                             "0xenclave",
                             "0xcode",
                             "0xcoordinator",
                             "0xalice",
                             "abcdef",
                             "step 3",
                             "in 1000 sessions",
                             "<b>simulated</b>"}) {
    EXPECT_NE(html.find(figure), std::string::npos) << figure;
  }
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf"), std::string::npos);
}

TEST(ReportHtml, IsOnePageWithoutScriptsOrResources) {
  std::string html = report_html(some_report());
  EXPECT_TRUE(html.starts_with("<!doctype html>"));
  EXPECT_TRUE(html.ends_with("</html>\n"));
  expect_self_contained(html);
  for (const char* tag : {"section", "article", "table", "svg", "style", "main", "code", "dl"}) {
    size_t opened =
        count(html, std::string("<") + tag + ">") + count(html, std::string("<") + tag + " ");
    EXPECT_EQ(opened, count(html, std::string("</") + tag + ">")) << tag;
  }
}

TEST(ReportHtml, SaysSimulatedOnlyWhereItIs) {
  Json report = some_report();
  report["enclave"]["simulated"] = false;
  EXPECT_EQ(report_html(report).find("simulated"), std::string::npos);
}

TEST(ReportHtml, EscapesEverythingThatComesFromOutside) {
  const std::string attack = "\"></style><script>alert('x')</script><img src=x onerror=\"y\">&";
  const std::string clean = report_html(some_report());
  // One text at a time, so that a single forgotten place shows.
  auto attempt = [&](const std::function<Json&(Json&)>& place, const char* name) {
    SCOPED_TRACE(name);
    Json report = some_report();
    place(report) = attack;
    std::string html = report_html(report);
    expect_self_contained(html);
    EXPECT_EQ(html.find(attack), std::string::npos);
    EXPECT_EQ(count(html, "<"), count(clean, "<"));
    EXPECT_EQ(count(html, ">"), count(clean, ">"));
    EXPECT_NE(html.find("&quot;&gt;&lt;/style&gt;&lt;script&gt;"), std::string::npos);
  };
  for (const char* key : {"name", "verdict", "about", "finding", "submitTx", "tokenId", "rows"}) {
    attempt([key](Json& r) -> Json& { return r["parties"][0][key]; }, key);
  }
  for (const char* key : {"refused", "slashTx"}) {
    attempt([key](Json& r) -> Json& { return r["parties"][1][key]; }, key);
  }
  attempt([](Json& r) -> Json& { return r["parties"][0]["adapterSha256"]; }, "adapterSha256");
  for (const char* key : {"question", "base", "joint", "reference"}) {
    attempt([key](Json& r) -> Json& { return r["comparison"]["samples"][0][key]; }, key);
  }
  for (const char* key : {"id", "openTx", "finalizeTx", "artifactRoot", "gateRoot", "seed"}) {
    attempt([key](Json& r) -> Json& { return r["session"][key]; }, key);
  }
  for (const char* key : {"id", "codeHash", "numericPath"}) {
    attempt([key](Json& r) -> Json& { return r["enclave"][key]; }, key);
  }
  for (const char* key : {"id", "owner"}) {
    attempt([key](Json& r) -> Json& { return r["tokens"][0][key]; }, key);
  }
  attempt([](Json& r) -> Json& { return r["network"]["coordinator"]; }, "coordinator");
}

}  // namespace
}  // namespace ffe::client
