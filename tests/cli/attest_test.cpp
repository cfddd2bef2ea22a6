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

}  // namespace
}  // namespace ffe::cli
