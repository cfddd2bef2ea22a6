// 0G Tapp against the platform's side as a real gRPC server (fake_tapp.mjs): its runtime data is
// made and hashed there, its quotes come from the simulator or are recorded ones.
#include "tee/tapp.hpp"

#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "crypto/secp256k1.hpp"
#include "tee/agent_log.hpp"
#include "tee/binding.hpp"
#include "tee/fake_tapp.hpp"
#include "tee/samples.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {
namespace {

class Tapp : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fake_tapp_runs()) GTEST_SKIP() << kNoTapp;
    write_file_atomic(folder_.path() / "program", as_bytes(std::string("program")));
    platform_ = std::make_unique<SimulatedPlatform>(
        SimulatedPlatform::create(folder_.path() / "p", folder_.path() / "program"));
    for (unsigned i = 0; i < 3; ++i) {
      log_.add_boot(i, crypto::sha384(as_bytes("ffe.simulator.rtmr" + std::to_string(i))));
    }
    log_.add("start_app", {{"app_id", "ffe"},
                           {"result", "success"},
                           {"compose_hash", std::string(96, 'a')},
                           {"image_hash", {{"ffe", "sha256:" + std::string(64, 'c')}}}});
    for (const Measurement& digest : log_.digests()) platform_->extend(digest);
  }

  FakeOptions machine() const {
    return {.event_log = log_.finished(),
            .quote = [this](const FixedBytes<64>& data) { return platform_->quote_bytes(data); }};
  }
  // Report data as a registration of this signer would ask for.
  static FixedBytes<64> wanted(const Address& signer) {
    return report_data(signer, enclave_ext(31337, Address{}, signer, H256{}, 7, H256{}));
  }

  TempDir folder_;
  std::unique_ptr<SimulatedPlatform> platform_;
  AgentLog log_;
};

ErrorCode code_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_FALSE(std::string(error.what()).empty());
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return ErrorCode::kInternal;
}

TEST_F(Tapp, EvidenceBindsItsSignerAndOurHash) {
  FakeTapp tapp(machine());
  auto provider = tapp_provider(tapp.options());
  std::optional<SecretBytes> key = provider->signing_key();
  ASSERT_TRUE(key);
  Address signer = crypto::PrivateKey::from(key->view()).address();
  EXPECT_EQ(signer, tapp.key().address());

  Evidence evidence = provider->quote(wanted(signer));
  EXPECT_EQ(evidence.provider, "tapp");
  EXPECT_NO_THROW(check_evidence(evidence, wanted(signer)));
  Verification v = verify(evidence, platform_->collateral(SimulatedCollateralOptions{}),
                          platform_->anchor(), std::time(nullptr), Policy::development());
  EXPECT_TRUE(v.accepted) << shown(v);
  ASSERT_TRUE(v.code_hash);
  Policy pinned = Policy::development();
  pinned.code_hashes = {*v.code_hash};
  EXPECT_TRUE(verify(evidence, platform_->collateral(SimulatedCollateralOptions{}),
                     platform_->anchor(), std::time(nullptr), pinned)
                  .accepted);

  // Evidence that somebody else asked for, with a nonce of his own or for another signer.
  Address stranger = crypto::PrivateKey::generate().address();
  EXPECT_EQ(code_of([&] { provider->quote(wanted(stranger)); }), ErrorCode::kAttestation);
  EXPECT_THROW(check_evidence(evidence, wanted(stranger)), Error);
  Evidence altered = evidence;
  altered.runtime_data.back() ^= 1;
  EXPECT_THROW(check_evidence(altered, wanted(signer)), Error);
}

TEST_F(Tapp, AlteredRuntimeDataOrLogIsRefusedByName) {
  FakeTapp tapp(machine());
  Address signer = tapp.key().address();
  Evidence good = tapp_provider(tapp.options())->quote(wanted(signer));
  auto judged = [&](const Evidence& evidence) {
    return failed_check(verify(evidence, platform_->collateral(SimulatedCollateralOptions{}),
                               platform_->anchor(), std::time(nullptr), Policy::development()));
  };
  EXPECT_EQ(judged(good), "");
  Evidence respaced = good;  // the same JSON in other bytes
  respaced.runtime_data.insert(respaced.runtime_data.begin() + 1, ' ');
  EXPECT_EQ(judged(respaced), "evidence.runtime_data");
  AgentLog shorter;
  Evidence cut = good;
  cut.event_log = shorter.finished();
  EXPECT_EQ(judged(cut), "evidence.event_log");

  // A machine on which another application was started too: its log replays, and is refused.
  log_.add("start_app", {{"app_id", "spy"}, {"result", "failed"}});
  platform_->extend(log_.digests().back());
  FakeTapp shared(machine());
  EXPECT_EQ(judged(tapp_provider(shared.options())->quote(wanted(shared.key().address()))),
            "evidence.application");
}

// Attack 24: the service makes another key at every boot.
TEST_F(Tapp, AfterARebootTheOldSignerIsNobody) {
  Address before;
  {
    FakeTapp tapp(machine());
    before = tapp.key().address();
    EXPECT_NO_THROW(tapp_provider(tapp.options())->quote(wanted(before)));
  }
  FakeTapp tapp(machine());
  auto provider = tapp_provider(tapp.options());
  EXPECT_EQ(code_of([&] { provider->quote(wanted(before)); }), ErrorCode::kAttestation);
  EXPECT_NO_THROW(
      provider->quote(wanted(crypto::PrivateKey::from(provider->signing_key()->view()).address())));
}

TEST_F(Tapp, KeysComeOverTheLocalSocketOnly) {
  FakeTapp tapp(machine());
  TappOptions remote = tapp.options();
  remote.endpoint = tapp.url();
  EXPECT_EQ(code_of([&] { TappClient(remote).app_key(); }), ErrorCode::kKey);
  EXPECT_EQ(code_of([&] { tapp_sealer(remote); }), ErrorCode::kKey);
  EXPECT_NO_THROW(tapp_provider(remote)->quote(wanted(tapp.key().address())));
}

TEST_F(Tapp, SealingSurvivesARestartAndNeedsTheKeyService) {
  FakeTapp tapp(machine());
  std::string text = "journal";
  Bytes sealed = tapp_sealer(tapp.options())->seal(as_bytes(text));
  EXPECT_EQ(as_text(tapp_sealer(tapp.options())->open(sealed).view()), text);
  FakeOptions elsewhere = machine();
  elsewhere.secret = "another key service";
  EXPECT_THROW(tapp_sealer(FakeTapp(elsewhere).options())->open(sealed), Error);
  FakeOptions none = machine();
  none.secret = "";
  EXPECT_EQ(code_of([&] { tapp_sealer(FakeTapp(none).options()); }), ErrorCode::kUnsupported);
}

TEST_F(Tapp, OldServicesTakeReportData) {
  FakeOptions options = machine();
  options.version = "0.3.7";
  FakeTapp tapp(options);
  FixedBytes<64> data = wanted(tapp.key().address());
  Evidence evidence = tapp_provider(tapp.options())->quote(data);
  EXPECT_TRUE(evidence.runtime_data.empty());
  EXPECT_EQ(parse_quote(evidence.quote).td.report_data, data);
}

TEST_F(Tapp, ARecordedQuoteOfIntelsComesThrough) {
  FFE_NEED_SAMPLES();
  Bytes recorded = sample("dcap-qvl/tdx_quote");
  FakeOptions options{.version = "0.3.7", .quote = [&](const auto&) { return recorded; }};
  FakeTapp tapp(options);
  auto provider = tapp_provider(tapp.options());
  EXPECT_EQ(provider->quote(parse_quote(recorded).td.report_data).quote, recorded);
  EXPECT_EQ(code_of([&] { provider->quote({}); }), ErrorCode::kAttestation);
}

TEST_F(Tapp, RefusalsAreTheServicesWords) {
  FakeTapp tapp(machine());
  try {
    tapp_provider(tapp.options("other"))->quote(wanted(tapp.key().address()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("unknown app other"), std::string::npos);
  }
  FakeOptions strange = machine();
  strange.version = "banana";
  EXPECT_EQ(code_of([&] { TappClient(FakeTapp(strange).options()).takes_report_data(); }),
            ErrorCode::kUnsupported);
  TappOptions absent{.endpoint = (folder_.path() / "no.sock").string(), .app_id = "ffe"};
  EXPECT_EQ(code_of([&] { TappClient(absent).version(); }), ErrorCode::kNetwork);
  EXPECT_EQ(code_of([] { TappClient({.endpoint = "/x"}); }), ErrorCode::kUsage);
}

TEST(Grpc, WhatIsNoGrpcIsSaid) {
  net::HttpServer web;
  web.start();
  EXPECT_EQ(code_of([&] { GrpcChannel(web.url(), 2000).call("a.B/C", {}); }), ErrorCode::kNetwork);
}

TEST(TappEvidence, EveryTruncationAndTypeErrorIsRefused) {
  std::string good =
      R"({"quote":"AAAA","cc_eventlog":"AAAA","gpu_evidence":null,"runtime_data":"e30="})";
  EXPECT_EQ(parse_tapp_evidence(good).quote, Bytes(3));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_THROW(parse_tapp_evidence(good.substr(0, size)), Error) << size;
  }
  for (const char* bad :
       {R"({"quote":7})", R"({"quote":"A"})", R"({"cc_eventlog":"AAAA"})", "[]"}) {
    EXPECT_THROW(parse_tapp_evidence(bad), Error) << bad;
  }
  for (const char* bad :
       {"", "{}", R"({"nonce":"0x","signer":"0x00"})", R"({"nonce":1,"signer":2})"}) {
    EXPECT_THROW(parse_tapp_runtime_data(as_bytes(std::string_view(bad))), Error) << bad;
  }
}

}  // namespace
}  // namespace ffe::tee
