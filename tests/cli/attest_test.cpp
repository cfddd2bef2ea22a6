// `ffe attest verify` on recorded quotes: what is accepted, what is refused, and with which code.
#include <cstdlib>
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "cli/run_cli.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using test::CliRun;
using test::shown;

constexpr const char* kIntelTime = "1751328000";
constexpr const char* kTooLate = "1754006400";
constexpr const char* kSimulatedTime = "1767225600";

class AttestTest : public test::CliTest {
 protected:
  static fs::path samples() {
    const char* set = std::getenv("FFE_SAMPLES");
    return fs::path(set != nullptr ? set : FFE_SOURCE_DIR "/../shared/samples") / "tee";
  }
  void SetUp() override {
    if (!fs::exists(samples())) {
      GTEST_SKIP() << "NO SAMPLES: set FFE_SAMPLES (looked for " << samples() << ")";
    }
  }

  CliRun verify(const std::string& quote, const std::string& collateral, const std::string& time,
                std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"attest",       "verify",
                                          "--quote",      (samples() / quote).string(),
                                          "--collateral", (samples() / collateral).string(),
                                          "--time",       time};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return ffe(arguments);
  }
  CliRun verify_intel(const std::string& time, std::vector<std::string> more = {}) const {
    return verify("dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote_collateral.json", time, more);
  }
  CliRun verify_simulated(const std::string& quote, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--root", (samples() / "simulated/root_ca.der").string()});
    return verify("simulated/" + quote, "simulated/collateral.json", kSimulatedTime, more);
  }
};

TEST_F(AttestTest, AQuoteOfIntelIsAcceptedWhileItsCollateralIsValid) {
  CliRun run = verify_intel(kIntelTime);
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "accepted UpToDate\n");
  EXPECT_NE(run.err.find("passed"), std::string::npos);
  EXPECT_EQ(run.err.find("FAILED"), std::string::npos);
}

TEST_F(AttestTest, ExpiredCollateralIsRefused) {
  CliRun run = verify_intel(kTooLate);
  EXPECT_EQ(run.status, 3) << shown(run);
  EXPECT_EQ(run.out, "refused\n");
  EXPECT_NE(run.err.find("FAILED"), std::string::npos) << shown(run);
  EXPECT_NE(run.err.find("error: "), std::string::npos) << shown(run);
}

TEST_F(AttestTest, HexadecimalIsReadToo) {
  fs::path hex = write("quote.hex", to_hex(read_file(samples() / "dcap-qvl/tdx_quote")) + "\n");
  CliRun run = ffe({"attest", "verify", "--quote", hex.string(), "--collateral",
                    (samples() / "dcap-qvl/tdx_quote_collateral.json").string(), "--time",
                    kIntelTime, "--quiet"});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "accepted UpToDate\n");
  EXPECT_EQ(run.err, "");
}

TEST_F(AttestTest, AsJsonItListsEveryCheck) {
  Json accepted = parse_json(verify_intel(kIntelTime, {"--json"}).out, "stdout");
  EXPECT_EQ(accepted.at("accepted"), true);
  EXPECT_GT(accepted.at("checks").size(), 10u);
}

TEST_F(AttestTest, ASimulatedQuoteNeedsItsOwnRoot) {
  CliRun run = verify_simulated("quote_v4.bin");
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out, "accepted UpToDate\n");
  EXPECT_NE(run.err.find("warning: a development root"), std::string::npos) << shown(run);
  run = verify("simulated/quote_v4.bin", "simulated/collateral.json", kSimulatedTime);
  EXPECT_EQ(run.status, 3) << shown(run);
  EXPECT_EQ(run.out, "refused\n");
}

TEST_F(AttestTest, ADebugEnclaveAndAnOldModuleAreRefused) {
  for (const char* quote : {"quote_v4_debug.bin", "quote_v4_module_outofdate.bin",
                            "quote_v4_sgx_tcb_unsupported.bin"}) {
    CliRun run = verify_simulated(quote);
    EXPECT_EQ(run.status, 3) << quote << ": " << shown(run);
    EXPECT_EQ(run.out, "refused\n") << quote;
  }
}

TEST_F(AttestTest, AQuoteOfIntelIsRefusedUnderADevelopmentRoot) {
  CliRun run = verify_intel(kIntelTime, {"--root", (samples() / "simulated/root_ca.der").string()});
  EXPECT_EQ(run.status, 3) << shown(run);
  EXPECT_EQ(run.out, "refused\n");
}

TEST_F(AttestTest, AChangedByteIsRefused) {
  Bytes quote = read_file(samples() / "dcap-qvl/tdx_quote");
  quote[48 + 520] ^= 1;  // the first byte of the report data
  fs::path changed = write("changed", std::string(as_text(quote)));
  CliRun run =
      ffe({"attest", "verify", "--quote", changed.string(), "--collateral",
           (samples() / "dcap-qvl/tdx_quote_collateral.json").string(), "--time", kIntelTime});
  EXPECT_EQ(run.status, 3) << shown(run);
  EXPECT_EQ(run.out, "refused\n");
}

TEST_F(AttestTest, ACollateralThatIsNoneIsNamed) {
  fs::path bad = write("collateral.json", "{}");
  CliRun run = ffe({"attest", "verify", "--quote", (samples() / "dcap-qvl/tdx_quote").string(),
                    "--collateral", bad.string(), "--time", kIntelTime});
  EXPECT_EQ(run.status, 1) << shown(run);
  EXPECT_EQ(run.out, "");
}

// Every row of the samples' README, through the command. One mutation of the verdict's time or root
// for those that it lists with two.
TEST_F(AttestTest, EverySampleGivesTheVerdictOfItsReadme) {
  struct Row {
    const char *quote, *collateral, *time, *root, *failed, *status;
    std::vector<std::string> advisories;
  };
  const char* intel = "dcap-qvl/tdx_quote_collateral.json";
  const char* outdated = "dcap-qvl/tdx_quote_outdated_collateral.json";
  const char* simulated = "simulated/collateral.json";
  const char* dev = "simulated/root_ca.der";
  const std::vector<Row> rows = {
      {"dcap-qvl/tdx_quote", intel, kIntelTime, "", "", "UpToDate", {}},
      {"dcap-qvl/tdx_quote", intel, kTooLate, "", "crl.pck", "", {}},
      {"dcap-qvl/tdx_quote_outdated", outdated, "1772323200", "", "tcb.level", "", {}},
      {"simulated/quote_v4.bin", simulated, kSimulatedTime, dev, "", "UpToDate", {}},
      {"simulated/quote_v5_td10.bin", simulated, kSimulatedTime, dev, "", "UpToDate", {}},
      {"simulated/quote_v5_td15.bin", simulated, kSimulatedTime, dev, "", "UpToDate", {}},
      {"simulated/quote_v4_debug.bin", simulated, kSimulatedTime, dev, "td.debug", "UpToDate", {}},
      {"simulated/quote_v4_module_outofdate.bin",
       simulated,
       kSimulatedTime,
       dev,
       "policy.tcb_status",
       "OutOfDate",
       {"DEV-SA-00001"}},
      {"simulated/quote_v4_sgx_tcb_unsupported.bin",
       simulated,
       kSimulatedTime,
       dev,
       "tcb.level",
       "",
       {}},
      // Roots do not mix.
      {"simulated/quote_v4.bin", simulated, kSimulatedTime, "", "pck_chain.root", "", {}},
      {"simulated/quote_v5_td10.bin", simulated, kSimulatedTime, "", "pck_chain.root", "", {}},
      {"simulated/quote_v5_td15.bin", simulated, kSimulatedTime, "", "pck_chain.root", "", {}},
      {"simulated/quote_v4_debug.bin", simulated, kSimulatedTime, "", "pck_chain.root", "", {}},
      {"simulated/quote_v4_module_outofdate.bin",
       simulated,
       kSimulatedTime,
       "",
       "pck_chain.root",
       "",
       {}},
      {"simulated/quote_v4_sgx_tcb_unsupported.bin",
       simulated,
       kSimulatedTime,
       "",
       "pck_chain.root",
       "",
       {}},
      {"dcap-qvl/tdx_quote", intel, kIntelTime, dev, "pck_chain.root", "", {}},
      {"dcap-qvl/tdx_quote_outdated", outdated, kIntelTime, dev, "pck_chain.root", "", {}},
      {"go-tdx-guest/tdx_prod_quote_SPR_E4.dat", intel, kIntelTime, dev, "pck_chain.root", "", {}},
      {"go-tdx-guest/quote_v5_sample.dat", intel, kIntelTime, dev, "pck_chain.root", "", {}},
      {"go-tdx-guest/ccel/cos-113-tdx-quote.dat", intel, kIntelTime, dev, "pck_chain.root", "", {}},
      {"dstack/quote-report.json", intel, kIntelTime, dev, "pck_chain.root", "", {}},
      // What is not a TDX quote at all.
      {"dcap-qvl/sgx_quote", intel, kIntelTime, "", "quote.format", "", {}},
  };
  for (const Row& row : rows) {
    std::vector<std::string> more = {"--json"};
    if (*row.root != '\0') more.insert(more.end(), {"--root", (samples() / row.root).string()});
    CliRun run = verify(row.quote, row.collateral, row.time, more);
    std::string which = std::string(row.quote) + " at " + row.time + " under " + row.root;
    Json verdict = parse_json(run.out.substr(0, run.out.find('\n')), "stdout");
    std::string failed;
    for (const Json& check : verdict.at("checks")) {
      if (failed.empty() && check.at("state") == "failed") failed = check.at("name");
    }
    EXPECT_EQ(failed, row.failed) << which;
    EXPECT_EQ(run.status, *row.failed == '\0' ? 0 : 3) << which;
    EXPECT_EQ(verdict.at("accepted"), *row.failed == '\0') << which;
    EXPECT_EQ(verdict.at("tcbStatus"), row.status) << which;
    EXPECT_EQ(verdict.at("advisories"), row.advisories) << which;
    EXPECT_EQ(verdict.at("simulated"), *row.root != '\0') << which;
  }
}

TEST_F(AttestTest, WorkloadIdsAreThoseOfTheReadme) {
  auto id = [&](const std::string& quote, const std::string& root) {
    CliRun run = verify(quote, "dcap-qvl/tdx_quote_collateral.json", kIntelTime,
                        {"--json", "--root", (samples() / root).string()});
    return parse_json(run.out.substr(0, run.out.find('\n')), "stdout")
        .at("quote")
        .at("workloadId")
        .get<std::string>();
  };
  EXPECT_EQ(id("dcap-qvl/tdx_quote", "simulated/root_ca.der"),
            "0x43fa25aabb28edc2c45fd335b031dd0dbb0e910abe5a4f8c1ac0c96851b1539e");
  EXPECT_EQ(id("go-tdx-guest/tdx_prod_quote_SPR_E4.dat", "simulated/root_ca.der"),
            "0x28a30bd1419fe43dac69d061911daa7c2c121a8eacab89196b2658e5cec2fcdb");
  EXPECT_EQ(id("simulated/quote_v4.bin", "simulated/root_ca.der"),
            "0x7e8853d281fa1b0b2185e8e909645404be224825388e51e94d30fee7716128b7");
}

TEST_F(AttestTest, AnEventLogMustReplay) {
  auto judged = [&](const std::string& quote, const std::string& log) {
    CliRun run = verify(quote, "simulated/collateral.json", kSimulatedTime,
                        {"--json", "--event-log", (samples() / log).string(), "--root",
                         (samples() / "simulated/root_ca.der").string()});
    return parse_json(run.out.substr(0, run.out.find('\n')), "stdout");
  };
  Json verdict = judged("simulated/quote_v4.bin", "go-tdx-guest/ccel/ccel_data.dat");
  EXPECT_EQ(verdict.at("accepted"), false);
  std::string failed;
  for (const Json& check : verdict.at("checks")) {
    if (check.at("state") == "failed") failed = check.at("name");
  }
  EXPECT_EQ(failed, "evidence.event_log");
}

TEST_F(AttestTest, WithoutCollateralItNeedsACacheOrTheNetwork) {
  CliRun run = ffe({"attest", "verify", "--quote", (samples() / "dcap-qvl/tdx_quote").string(),
                    "--offline", "--time", kIntelTime});
  EXPECT_EQ(run.status, 6) << shown(run);
  EXPECT_NE(run.err.find("no collateral of FMSPC b0c06f000000 is cached"), std::string::npos)
      << shown(run);
}

TEST_F(AttestTest, MeasurePrintsTheCodeHashOfAnExecutable) {
  fs::path program = write("program", "the measured program");
  CliRun run = ffe({"attest", "measure", program.string()});
  EXPECT_EQ(run.status, 0) << shown(run);
  EXPECT_EQ(run.out.size(), 67u);
  fs::path other = write("other", "the measured program.");
  EXPECT_NE(ffe({"attest", "measure", other.string()}).out, run.out);
}

}  // namespace
}  // namespace ffe::cli
