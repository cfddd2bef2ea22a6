// What a Prometheus server reads: the format, the numbers, and no more than numbers.
#include "aggregator/metrics.hpp"

#include <gtest/gtest.h>
#include <regex>
#include <sstream>

#include "aggregator/status.hpp"

namespace ffe::aggregator {
namespace {

Metrics some() {
  StatusBoard board;
  board.stage("1", "gate: training", 3, 10);
  board.stage("2", "publishing gate.json");
  board.stage("3", "publishing report.json");
  board.error("3", "storage node http://10.0.0.1: \"row\" of 0xabc failed");
  Metrics m;
  m.version = "0.1.0";
  m.provider = "simulator";
  m.simulated = true;
  m.sessions = board.all();
  m.failed_attempts = board.failures();
  m.registration_valid_until = 1'796'057'021;
  m.resident_bytes = resident_bytes();
  m.inference = {.models = 2, .streams = 1, .tokens = 4711, .refused = 3};
  return m;
}

TEST(Metrics, HasTheNumbers) {
  const std::string text = to_text(some());
  for (const char* line :
       {"ffe_build_info{version=\"0.1.0\",provider=\"simulator\",simulated=\"true\"} 1\n",
        "ffe_sessions{stage=\"gate: training\"} 1\n", "ffe_sessions{stage=\"publishing\"} 2\n",
        "ffe_sessions_failing 1\n", "ffe_failed_attempts_total 1\n",
        "ffe_registration_valid_until_seconds 1796057021\n", "ffe_inference_models 2\n",
        "ffe_inference_streams 1\n", "ffe_inference_tokens_total 4711\n",
        "ffe_inference_refused_total 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
  EXPECT_GT(some().resident_bytes, 1u << 20);
}

TEST(Metrics, IsInTheExpositionFormat) {
  static const std::regex kLine(
      R"re(# (HELP [a-z_]+ .+|TYPE [a-z_]+ (gauge|counter))|[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? [0-9]+)re");
  std::istringstream lines(to_text(some()));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(std::regex_match(line, kLine)) << line;
  }
}

TEST(Metrics, CarryNoTextOfErrors) {
  const std::string text = to_text(some());
  EXPECT_EQ(text.find("10.0.0.1"), std::string::npos);
  EXPECT_EQ(text.find("0xabc"), std::string::npos);
}

}  // namespace
}  // namespace ffe::aggregator
