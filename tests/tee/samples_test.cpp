// Every recorded quote gives the verdict that the samples' README lists.
#include "tee/samples.hpp"

#include "base/hex.hpp"
#include "tee/event_log.hpp"

namespace ffe::tee {
namespace {

TEST(Samples, IntelQuoteIsAccepted) {
  FFE_NEED_SAMPLES();
  Verification v =
      verify(sample("dcap-qvl/tdx_quote"), sample_collateral("dcap-qvl/tdx_quote_collateral.json"),
             intel_root(), kIntelTime, Policy{});
  EXPECT_TRUE(v.accepted) << shown(v);
  EXPECT_FALSE(v.simulated);
  EXPECT_EQ(v.tcb_status, kUpToDate);
  EXPECT_EQ(v.fmspc, "b0c06f000000");
  EXPECT_EQ(v.tcb_evaluation_number, 17u);
  EXPECT_TRUE(v.advisories.empty());
  EXPECT_EQ(to_hex0x(workload_id(*v.quote).bytes),
            "0x43fa25aabb28edc2c45fd335b031dd0dbb0e910abe5a4f8c1ac0c96851b1539e");
  EXPECT_NO_THROW(v.require());
}

TEST(Samples, ExpiredCollateralIsRefused) {
  FFE_NEED_SAMPLES();
  Verification v =
      verify(sample("dcap-qvl/tdx_quote"), sample_collateral("dcap-qvl/tdx_quote_collateral.json"),
             intel_root(), 1754006400, Policy{});
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(failed_check(v), "crl.pck");
  EXPECT_THROW(v.require(), Error);
}

TEST(Samples, OutdatedIntelQuoteReachesNoLevel) {
  FFE_NEED_SAMPLES();
  Verification v = verify(sample("dcap-qvl/tdx_quote_outdated"),
                          sample_collateral("dcap-qvl/tdx_quote_outdated_collateral.json"),
                          intel_root(), 1772323200, Policy{});
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(failed_check(v), "tcb.level") << shown(v);
  ASSERT_TRUE(v.quote);
  EXPECT_EQ(v.quote->version, 5);
  EXPECT_EQ(v.quote->td.version, TdVersion::k15);
}

Verification verify_simulated(const std::string& name, const Policy& policy = Policy::development(),
                              const TrustAnchor& anchor = sample_root()) {
  return verify(sample("simulated/" + name), sample_collateral("simulated/collateral.json"), anchor,
                kSimulatedTime, policy);
}

TEST(Samples, SimulatedQuotesAreAcceptedAndSaySo) {
  FFE_NEED_SAMPLES();
  for (const char* name : {"quote_v4.bin", "quote_v5_td10.bin", "quote_v5_td15.bin"}) {
    Verification v = verify_simulated(name);
    EXPECT_TRUE(v.accepted) << name << " " << shown(v);
    EXPECT_TRUE(v.simulated);
    EXPECT_EQ(v.tcb_status, kUpToDate);
  }
  EXPECT_EQ(to_hex0x(workload_id(parse_quote(sample("simulated/quote_v4.bin"))).bytes),
            "0x7e8853d281fa1b0b2185e8e909645404be224825388e51e94d30fee7716128b7");
}

TEST(Samples, DevelopmentRootNeedsTheSwitch) {
  FFE_NEED_SAMPLES();
  Verification v = verify_simulated("quote_v4.bin", Policy{});
  EXPECT_FALSE(v.accepted);
  EXPECT_TRUE(v.simulated);
  EXPECT_EQ(failed_check(v), "anchor.permitted");
}

TEST(Samples, DebugIsRefused) {
  FFE_NEED_SAMPLES();
  Verification v = verify_simulated("quote_v4_debug.bin");
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(failed_check(v), "td.debug");
}

TEST(Samples, OutOfDateModuleNeedsANamedException) {
  FFE_NEED_SAMPLES();
  Verification v = verify_simulated("quote_v4_module_outofdate.bin");
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(failed_check(v), "policy.tcb_status");
  EXPECT_EQ(v.tcb_status, kOutOfDate);
  EXPECT_EQ(v.advisories, std::vector<std::string>{"DEV-SA-00001"});

  Policy policy = Policy::development();
  policy.tcb_statuses.insert(kOutOfDate);
  EXPECT_EQ(failed_check(verify_simulated("quote_v4_module_outofdate.bin", policy)),
            "policy.tcb_status")
      << "a status outside the default needs an advisory list";
  policy.advisories = {"DEV-SA-00009"};
  EXPECT_EQ(failed_check(verify_simulated("quote_v4_module_outofdate.bin", policy)),
            "policy.advisories");
  policy.advisories = {"DEV-SA-00001"};
  EXPECT_TRUE(verify_simulated("quote_v4_module_outofdate.bin", policy).accepted);
}

TEST(Samples, UnsupportedTcbIsRefused) {
  FFE_NEED_SAMPLES();
  Verification v = verify_simulated("quote_v4_sgx_tcb_unsupported.bin");
  EXPECT_FALSE(v.accepted);
  EXPECT_EQ(failed_check(v), "tcb.level");
}

TEST(Samples, RootsDoNotMix) {
  FFE_NEED_SAMPLES();
  for (const char* name : {"quote_v4.bin", "quote_v5_td10.bin", "quote_v5_td15.bin"}) {
    Verification v = verify_simulated(name, Policy{}, intel_root());
    EXPECT_FALSE(v.accepted);
    EXPECT_FALSE(v.simulated);
    EXPECT_EQ(failed_check(v), "pck_chain.root");
  }
  Collateral intel = sample_collateral("dcap-qvl/tdx_quote_collateral.json");
  for (const char* name :
       {"dcap-qvl/tdx_quote", "dcap-qvl/tdx_quote_outdated", "go-tdx-guest/quote_v5_sample.dat",
        "go-tdx-guest/tdx_prod_quote_SPR_E4.dat", "go-tdx-guest/ccel/cos-113-tdx-quote.dat"}) {
    Verification v = verify(sample(name), intel, sample_root(), kIntelTime, Policy::development());
    EXPECT_FALSE(v.accepted);
    EXPECT_EQ(failed_check(v), "pck_chain.root") << name;
  }
}

TEST(Samples, EveryRealQuoteParses) {
  FFE_NEED_SAMPLES();
  struct Row {
    const char* name;
    int version;
    size_t trailing;
  };
  for (const Row& row :
       {Row{"go-tdx-guest/tdx_prod_quote_SPR_E4.dat", 4, 39},
        Row{"go-tdx-guest/ccel/cos-113-tdx-quote.dat", 4, 3065},
        Row{"go-tdx-guest/quote_v5_sample.dat", 5, 0}, Row{"dcap-qvl/tdx_quote", 4, 70}}) {
    Quote quote = parse_quote(sample(row.name));
    EXPECT_EQ(quote.version, row.version) << row.name;
    EXPECT_EQ(quote.trailing, row.trailing) << row.name;
    EXPECT_EQ(quote.size + quote.trailing, sample(row.name).size());
  }
  EXPECT_EQ(
      to_hex0x(workload_id(parse_quote(sample("go-tdx-guest/tdx_prod_quote_SPR_E4.dat"))).bytes),
      "0x28a30bd1419fe43dac69d061911daa7c2c121a8eacab89196b2658e5cec2fcdb");
  std::string hex = read_text_file(samples_dir() / "dcap-qvl/quote-from-tappd.hex");
  while (!hex.empty() && hex.back() == '\n') hex.pop_back();
  EXPECT_EQ(parse_quote(from_hex(hex)).version, 4);
}

TEST(Samples, SgxQuoteIsOfAnotherKind) {
  FFE_NEED_SAMPLES();
  try {
    parse_quote(sample("dcap-qvl/sgx_quote"));
    FAIL() << "an SGX quote was parsed as TDX";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
}

TEST(Samples, RevocationListsWork) {
  FFE_NEED_SAMPLES();
  Bytes quote = sample("simulated/quote_v4.bin");
  Collateral c = sample_collateral("simulated/collateral.json");
  c.pck_crl = sample("simulated/pck_crl_revokes_pck.der");
  EXPECT_EQ(failed_check(verify(quote, c, sample_root(), kSimulatedTime, Policy::development())),
            "crl.pck_not_revoked");
  c = sample_collateral("simulated/collateral.json");
  c.root_ca_crl = sample("simulated/root_ca_crl_revokes_inter.der");
  EXPECT_EQ(failed_check(verify(quote, c, sample_root(), kSimulatedTime, Policy::development())),
            "crl.intermediate_not_revoked");
}

TEST(Samples, SignedDocumentsAreCutExactly) {
  FFE_NEED_SAMPLES();
  Collateral c = sample_collateral("simulated/collateral.json");
  SignedDocument info =
      split_signed_document(read_text_file(samples_dir() / "simulated/tcb_info.json"), "tcbInfo");
  EXPECT_EQ(info.text, c.tcb_info);
  SignedDocument qe = split_signed_document(
      read_text_file(samples_dir() / "simulated/qe_identity.json"), "enclaveIdentity");
  EXPECT_EQ(qe.text, c.qe_identity);
  c.tcb_info_signature = info.signature;
  c.qe_identity_signature = qe.signature;
  EXPECT_TRUE(verify(sample("simulated/quote_v4.bin"), c, sample_root(), kSimulatedTime,
                     Policy::development())
                  .accepted);
  EXPECT_THROW(split_signed_document(R"({"tcbInfo":{"a":1)", "tcbInfo"), Error);
  EXPECT_THROW(split_signed_document(R"({ "tcbInfo":{},"signature":""})", "tcbInfo"), Error);
}

TEST(Samples, EventLogsReplay) {
  FFE_NEED_SAMPLES();
  Quote cos = parse_quote(sample("go-tdx-guest/ccel/cos-113-tdx-quote.dat"));
  EXPECT_NO_THROW(check_replay(parse_ccel(sample("go-tdx-guest/ccel/ccel_data.dat")), cos.td));
  for (const char* name : {"dstack/quote-report.json", "dstack/tdx-lite-getquote.json"}) {
    Json json = parse_json(read_text_file(samples_dir() / name), name);
    Quote quote = parse_quote(from_hex(json_string(json, "quote", name)));
    std::vector<LogEvent> events = parse_dstack_log(json_string(json, "event_log", name));
    EXPECT_NO_THROW(check_replay(events, quote.td)) << name;
    ASSERT_FALSE(events.empty());
    events.pop_back();
    EXPECT_THROW(check_replay(events, quote.td), Error) << name;
  }
}

}  // namespace
}  // namespace ffe::tee
