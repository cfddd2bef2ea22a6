// The simulated platform makes what the verifier accepts, and every deviation is refused.
#include "tee/simulated.hpp"

#include <chrono>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "tee/event_log.hpp"
#include "tee/samples.hpp"
#include "tee/verify.hpp"

namespace ffe::tee {
namespace {

int64_t now() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

FixedBytes<64> some_report_data() {
  FixedBytes<64> out;
  for (size_t i = 0; i < 64; ++i) out[i] = static_cast<uint8_t>(i * 7 + 1);
  return out;
}

class Simulated : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempDir("ffe-simulated");
    std::string program = "the measured program";
    executable_ = folder_->path() / "program";
    write_file_atomic(executable_, as_bytes(program));
    platform_ =
        new SimulatedPlatform(SimulatedPlatform::create(folder_->path() / "platform", executable_));
  }
  static void TearDownTestSuite() {
    delete platform_;
    delete folder_;
  }

  static Verification check(const SimulatedQuoteOptions& quote = {},
                            const SimulatedCollateralOptions& collateral = {},
                            Policy policy = Policy::development()) {
    return verify(platform_->quote_bytes(some_report_data(), quote),
                  platform_->collateral(collateral), platform_->anchor(), now(), policy);
  }

  static TempDir* folder_;
  static std::filesystem::path executable_;
  static SimulatedPlatform* platform_;
};
TempDir* Simulated::folder_ = nullptr;
std::filesystem::path Simulated::executable_;
SimulatedPlatform* Simulated::platform_ = nullptr;

TEST_F(Simulated, EveryHealthyFormIsAccepted) {
  for (SimulatedQuoteOptions options :
       {SimulatedQuoteOptions{}, SimulatedQuoteOptions{.version = 5},
        SimulatedQuoteOptions{.version = 5, .td15 = true}}) {
    Policy policy = Policy::development();
    policy.report_data = some_report_data();
    policy.workload_ids = {platform_->code_hash()};
    Verification v = check(options, {}, policy);
    EXPECT_TRUE(v.accepted) << shown(v);
    EXPECT_TRUE(v.simulated);
    EXPECT_EQ(v.tcb_status, kUpToDate);
    EXPECT_EQ(v.fmspc, "00de50000000");
    EXPECT_EQ(v.quote->td.version, options.td15 ? TdVersion::k15 : TdVersion::k10);
    for (const Check& c : v.checks) {
      bool optional = c.name == "td.service_td" || c.name.starts_with("policy.") ||
                      c.name.starts_with("evidence.");
      EXPECT_TRUE(c.state == Check::passed || optional) << c.name;
    }
  }
}

TEST_F(Simulated, IntelsRootRefusesIt) {
  Verification v = verify(platform_->quote_bytes(some_report_data()),
                          platform_->collateral(SimulatedCollateralOptions{}), intel_root(), now(),
                          Policy::development());
  EXPECT_FALSE(v.accepted);
  EXPECT_FALSE(v.simulated);
  EXPECT_EQ(failed_check(v), "pck_chain.root");
}

TEST_F(Simulated, AnotherPlatformsRootRefusesIt) {
  TempDir other;
  SimulatedPlatform stranger = SimulatedPlatform::create(other.path() / "p", executable_);
  Verification v = verify(platform_->quote_bytes(some_report_data()),
                          platform_->collateral(SimulatedCollateralOptions{}), stranger.anchor(),
                          now(), Policy::development());
  EXPECT_EQ(failed_check(v), "pck_chain.root");
  // The stranger's collateral below the right root: its CRLs and documents have other signers.
  v = verify(platform_->quote_bytes(some_report_data()),
             stranger.collateral(SimulatedCollateralOptions{}), platform_->anchor(), now(),
             Policy::development());
  EXPECT_EQ(failed_check(v), "crl.root");
}

TEST_F(Simulated, DeviationsAreRefusedByName) {
  EXPECT_EQ(failed_check(check({.debug = true})), "td.debug");
  EXPECT_EQ(failed_check(check({.module_out_of_date = true})), "policy.tcb_status");
  EXPECT_EQ(failed_check(check({.tcb_out_of_date = true})), "policy.tcb_status");
  SimulatedQuoteOptions bound{.version = 5, .td15 = true};
  bound.mr_service_td[7] = 1;
  EXPECT_EQ(failed_check(check(bound)), "td.service_td");
  EXPECT_EQ(failed_check(check({}, {.revoke_pck = true})), "crl.pck_not_revoked");
  EXPECT_EQ(failed_check(check({}, {.revoke_intermediate = true})), "crl.intermediate_not_revoked");
  EXPECT_EQ(failed_check(check({}, {.revoke_tcb_signing = true})), "tcb_info.issuer");
  EXPECT_EQ(failed_check(check({}, {.issued = now() - 9000, .expires = now() - 1})), "crl.root");
  EXPECT_EQ(failed_check(check({}, {.issued = now() + 9000})), "crl.root");
}

TEST_F(Simulated, StatusAndAdvisoriesOfAnOldPlatform) {
  Verification v = check({.tcb_out_of_date = true});
  EXPECT_EQ(v.tcb_status, kOutOfDate);
  EXPECT_EQ(v.advisories, std::vector<std::string>{"DEV-SA-00002"});
  Policy policy = Policy::development();
  policy.tcb_statuses.insert(kOutOfDate);
  policy.advisories = {"DEV-SA-00001", "DEV-SA-00002"};
  EXPECT_TRUE(check({.tcb_out_of_date = true}, {}, policy).accepted);
}

TEST_F(Simulated, RelaunchIsAdvisedWhereTheCurrentModuleIsNew) {
  // TD report 1.5 shows the module that runs now; the simulator's is always the newest.
  Verification v = check({.version = 5, .td15 = true, .module_out_of_date = true});
  EXPECT_EQ(v.tcb_status, kRelaunchAdvised);
  EXPECT_EQ(failed_check(v), "policy.tcb_status");
}

TEST_F(Simulated, PolicyListsJudge) {
  Policy policy = Policy::development();
  policy.fmspcs = {"00906ed50000"};
  EXPECT_EQ(failed_check(check({}, {}, policy)), "policy.fmspc");
  policy = Policy::development();
  policy.platform_ids = {std::string(32, '0')};
  Verification v = check({}, {}, policy);
  EXPECT_EQ(failed_check(v), "policy.platform");
  policy.platform_ids = {v.platform_instance_id};
  EXPECT_TRUE(check({}, {}, policy).accepted);
  policy.platform_ids = {v.ppid};
  EXPECT_TRUE(check({}, {}, policy).accepted);
  policy = Policy::development();
  policy.workload_ids = {H256{}};
  EXPECT_EQ(failed_check(check({}, {}, policy)), "policy.measurement");
  policy.platform_hashes = {platform_hash(v.quote->td)};
  EXPECT_TRUE(check({}, {}, policy).accepted);
  policy = Policy::development();
  policy.report_data = FixedBytes<64>{};
  EXPECT_EQ(failed_check(check({}, {}, policy)), "policy.report_data");
  policy = Policy::development();
  policy.allowed_xfam = 3;
  EXPECT_EQ(failed_check(check({}, {}, policy)), "td.xfam");
  policy = Policy::development();
  policy.minimum_evaluation_number = 2;
  EXPECT_EQ(failed_check(check({}, {}, policy)), "collateral.not_rolled_back");
}

TEST_F(Simulated, OlderCollateralIsRefusedOnceNewerWasSeen) {
  auto guard = file_rollback_guard(folder_->path() / "evaluation.json");
  Bytes quote = platform_->quote_bytes(some_report_data());
  auto attempt = [&](uint32_t number) {
    return verify(quote, platform_->collateral({.evaluation_number = number}), platform_->anchor(),
                  now(), Policy::development(), guard.get());
  };
  EXPECT_TRUE(attempt(5).accepted);
  EXPECT_TRUE(attempt(5).accepted);
  EXPECT_EQ(failed_check(attempt(4)), "collateral.not_rolled_back");
  EXPECT_TRUE(attempt(6).accepted);
  auto reopened = file_rollback_guard(folder_->path() / "evaluation.json");
  std::string root = to_hex(platform_->anchor().certificate_sha256.bytes).substr(0, 16);
  EXPECT_EQ(reopened->highest("development-" + root + "/00de50000000"), 6u);
  EXPECT_EQ(reopened->highest("intel/00de50000000"), 0u);
}

TEST_F(Simulated, MixedCollateralIsRefused) {
  Collateral c = platform_->collateral(SimulatedCollateralOptions{.evaluation_number = 1});
  Collateral newer = platform_->collateral(SimulatedCollateralOptions{.evaluation_number = 2});
  c.qe_identity = newer.qe_identity;
  c.qe_identity_signature = newer.qe_identity_signature;
  Bytes quote = platform_->quote_bytes(some_report_data());
  EXPECT_EQ(failed_check(verify(quote, c, platform_->anchor(), now(), Policy::development())),
            "collateral.not_rolled_back");
  std::swap(c.qe_identity, c.tcb_info);
  std::swap(c.qe_identity_signature, c.tcb_info_signature);
  EXPECT_EQ(failed_check(verify(quote, c, platform_->anchor(), now(), Policy::development())),
            "tcb_info.content");
  c = platform_->collateral(SimulatedCollateralOptions{});
  c.tcb_info += " ";  // the same JSON, other bytes
  EXPECT_EQ(failed_check(verify(quote, c, platform_->anchor(), now(), Policy::development())),
            "tcb_info.signature");
}

TEST_F(Simulated, ReopenedPlatformIsTheSame) {
  SimulatedPlatform again = SimulatedPlatform::open(folder_->path() / "platform", executable_);
  EXPECT_EQ(again.root_der(), platform_->root_der());
  EXPECT_EQ(again.code_hash(), platform_->code_hash());
  EXPECT_EQ(again.code_hash(), simulated_code_hash(executable_));
  Evidence evidence = again.quote(some_report_data());
  EXPECT_TRUE(evidence.simulated);
  Collateral collateral = again.collateral();
  EXPECT_TRUE(verify(evidence.quote, collateral, platform_->anchor(), now(), Policy::development())
                  .accepted);
  Collateral saved = read_collateral(folder_->path() / "platform/collateral.json");
  EXPECT_EQ(saved.tcb_info, collateral.tcb_info);
  EXPECT_THROW(SimulatedPlatform::create(folder_->path() / "platform", executable_), Error);
}

TEST_F(Simulated, MeasurementFollowsTheExecutable) {
  std::filesystem::path changed = folder_->path() / "changed";
  std::string program = "the measured program, changed";
  write_file_atomic(changed, as_bytes(program));
  EXPECT_NE(simulated_code_hash(changed), simulated_code_hash(executable_));
  EXPECT_THROW(simulated_code_hash(folder_->path() / "absent"), Error);
}

TEST_F(Simulated, EventsExtendRtmr3AndReplay) {
  SimulatedPlatform p = SimulatedPlatform::open(folder_->path() / "platform", executable_);
  EXPECT_TRUE(p.measurements().rtmr[3].is_zero());
  p.extend("compose-hash", as_bytes("payload"));
  p.extend("system-ready", {});
  EXPECT_NE(p.code_hash(), simulated_code_hash(executable_));
  Evidence evidence = p.quote(some_report_data());
  Quote quote = parse_quote(evidence.quote);
  std::vector<LogEvent> events = parse_event_log(evidence.event_log_format, evidence.event_log);
  EXPECT_NO_THROW(check_replay(events, quote.td));
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(events[3].name, "compose-hash");
  EXPECT_TRUE(events[3].bound);
  events[3].digest[0] ^= 1;
  EXPECT_THROW(check_replay(events, quote.td), Error);
}

TEST_F(Simulated, KeysAreFilesForTheirOwnerOnly) {
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path() / "platform")) {
    struct stat info {};
    ASSERT_EQ(stat(entry.path().c_str(), &info), 0);
    if (entry.path().extension() != ".key") continue;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << entry.path();
  }
}

TEST_F(Simulated, SealedStateOpensHereOnly) {
  std::string text = "journal";
  Bytes sealed = platform_->seal(as_bytes(text));
  EXPECT_NE(sealed, platform_->seal(as_bytes(text)));
  EXPECT_EQ(as_text(platform_->open(sealed).view()), text);
  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 1;
    EXPECT_THROW(platform_->open(changed), Error) << i;
  }
  EXPECT_THROW(platform_->open(Bytes(5)), Error);
  TempDir other;
  SimulatedPlatform stranger = SimulatedPlatform::create(other.path() / "p", executable_);
  EXPECT_THROW(stranger.open(sealed), Error);
}

TEST_F(Simulated, CertificatesHaveTheFixedShapesOfIntels) {
  Bytes spki = from_hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
  Bytes algorithm = from_hex("300a06082a8648ce3d040302");
  for (const Bytes* der : {&platform_->root_der(), &platform_->intermediate_der(),
                           &platform_->pck_der(), &platform_->tcb_signing_der()}) {
    EXPECT_NE(std::search(der->begin(), der->end(), spki.begin(), spki.end()), der->end());
    EXPECT_NE(std::search(der->begin(), der->end(), algorithm.begin(), algorithm.end()),
              der->end());
  }
}

}  // namespace
}  // namespace ffe::tee
