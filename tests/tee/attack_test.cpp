// The attacks of docs/threat-model.md that need a platform of one's own to make: every altered
// report and document here is properly signed by the development platform's keys. The numbers are
// the table's; attacks that other tests show are named there.
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "tee/dev_pki.hpp"
#include "tee/samples.hpp"
#include "tee/sim_documents.hpp"
#include "tee/simulated.hpp"

namespace ffe::tee {
namespace {

using Edit = std::function<void(Bytes&)>;

// Offsets inside a TD report and a QE report.
constexpr size_t kTcbSvn = 0, kSignerSeam = 64, kSeamAttributes = 112, kTdAttributes = 120;
constexpr size_t kXfam = 128, kRtmr1 = 376, kConfigId = 184;
constexpr size_t kQeMiscSelect = 16, kQeAttributes = 48, kQeSigner = 128, kQeProduct = 256;
constexpr size_t kQeVersion = 258, kQeReportData = 320;

Edit flip(size_t at, uint8_t bits = 1) {
  return [=](Bytes& report) { report[at] ^= bits; };
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class Attack : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempDir("ffe-attack");
    write_file_atomic(folder_->path() / "program", as_bytes(std::string_view("program")));
    platform_ = new SimulatedPlatform(
        SimulatedPlatform::create(folder_->path() / "p", folder_->path() / "program"));
  }
  static void TearDownTestSuite() {
    delete platform_;
    delete folder_;
  }

  static Collateral collateral() { return platform_->collateral(SimulatedCollateralOptions{}); }
  static Verification judged(ByteView quote, const Collateral& c,
                             const Policy& policy = Policy::development()) {
    return verify(quote, c, platform_->anchor(), std::time(nullptr), policy);
  }
  static std::string failed(const SimulatedQuoteOptions& options,
                            const Policy& policy = Policy::development()) {
    return failed_check(judged(platform_->quote_bytes({}, options), collateral(), policy));
  }
  static std::string failed_td(Edit edit) { return failed({.edit_td = std::move(edit)}); }
  static std::string failed_qe(Edit edit) { return failed({.edit_qe = std::move(edit)}); }
  static std::string failed(const Collateral& c) {
    return failed_check(judged(platform_->quote_bytes({}), c));
  }

  static DevKey key(const char* name) {
    return DevKey::from_der(read_file(folder_->path() / "p" / name, 1 << 14));
  }
  static Collateral with_tcb_info(const std::string& text) {
    Collateral out = collateral();
    out.tcb_info = text;
    out.tcb_info_signature = key("tcb-signing.key").sign(as_bytes(text));
    return out;
  }
  static Collateral with_qe_identity(const std::string& text) {
    Collateral out = collateral();
    out.qe_identity = text;
    out.qe_identity_signature = key("tcb-signing.key").sign(as_bytes(text));
    return out;
  }
  // A genuine certificate without one of its extensions, signed again by its issuer.
  static std::string without(const Bytes& der, int nid, const DevKey& issuer) {
    Certificate certificate = Certificate::from_der(der);
    X509Ptr copy(X509_dup(certificate.handle()));
    int at = X509_get_ext_by_NID(copy.get(), nid, -1);
    EXPECT_GE(at, 0);
    ExtensionPtr gone(X509_delete_ext(copy.get(), at));
    EXPECT_GT(X509_sign(copy.get(), issuer.handle(), EVP_sha256()), 0);
    return to_pem(Certificate::from_der(to_der(i2d_X509, copy.get())));
  }
  static Bytes with_chain(const std::string& pem);

  static TempDir* folder_;
  static SimulatedPlatform* platform_;
};
TempDir* Attack::folder_ = nullptr;
SimulatedPlatform* Attack::platform_ = nullptr;

// A version 4 quote with another PEM chain and the sizes that belong to it.
Bytes Attack::with_chain(const std::string& pem) {
  constexpr size_t kSection = 636, kInner = kSection + 584 + 32;
  auto le32 = [](Bytes& out, size_t at, size_t value) {
    for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(value >> 8 * i);
  };
  Bytes quote = platform_->quote_bytes({});
  Bytes out = concat({ByteView(quote).first(kInner + 6), as_bytes(pem)});
  le32(out, kInner + 2, pem.size());
  le32(out, kSection + 130, out.size() - kSection - 134);
  le32(out, 632, out.size() - kSection);
  return out;
}

TEST_F(Attack, A04DebugReservedAndMissingTdAttributes) {
  ASSERT_EQ(failed_td(flip(kTcbSvn, 0)), "");
  for (int bit = 0; bit < 8; ++bit) {
    EXPECT_EQ(failed_td(flip(kTdAttributes, static_cast<uint8_t>(1 << bit))), "td.debug") << bit;
  }
  EXPECT_EQ(failed_td(flip(kTdAttributes + 3, 0x10)), "td.attributes") << "SEPT_VE_DISABLE clear";
  EXPECT_EQ(failed_td(flip(kTdAttributes + 3, 0x20)), "td.attributes") << "MIGRATABLE";
  for (size_t byte : {1, 2, 4, 5, 6}) {
    EXPECT_EQ(failed_td(flip(kTdAttributes + byte, 0x04)), "td.attributes") << byte;
  }
  for (uint8_t allowed : {0x40, 0x80}) EXPECT_EQ(failed_td(flip(kTdAttributes + 3, allowed)), "");
  EXPECT_EQ(failed_td(flip(kXfam + 7, 0x80)), "td.xfam");
  EXPECT_EQ(failed_td(flip(kXfam, 0x01)), "td.xfam");
}

TEST_F(Attack, A07DocumentsOfAnotherPlatformOrKind) {
  const std::string info = collateral().tcb_info, qe = collateral().qe_identity;
  ASSERT_EQ(failed(with_tcb_info(info)), "");
  EXPECT_EQ(failed(with_tcb_info(replaced(info, "00DE50000000", "00DE50000001"))),
            "platform.match");
  EXPECT_EQ(failed(with_tcb_info(replaced(info, "\"pceId\":\"0000\"", "\"pceId\":\"0001\""))),
            "platform.match");
  EXPECT_EQ(failed(with_tcb_info(replaced(info, "\"id\":\"TDX\"", "\"id\":\"SGX\""))),
            "tcb_info.content");
  EXPECT_EQ(failed(with_tcb_info(replaced(info, "\"tcbType\":0", "\"tcbType\":1"))),
            "tcb_info.content");
  EXPECT_EQ(failed(with_qe_identity(replaced(qe, "TD_QE", "QE"))), "qe_identity.content");
  EXPECT_EQ(failed(with_qe_identity(replaced(qe, "\"version\":2", "\"version\":1"))),
            "qe_identity.content");
  // Version 2 is what SGX has; its signature is as good as any.
  Verification old = judged(platform_->quote_bytes({}),
                            with_tcb_info(replaced(info, "\"version\":3", "\"version\":2")));
  EXPECT_EQ(failed_check(old), "tcb_info.content");
  EXPECT_NE(shown(old).find("it is for SGX"), std::string::npos) << shown(old);
}

TEST_F(Attack, A05AStatusThatIntelDoesNotHave) {
  const std::string info = collateral().tcb_info;
  EXPECT_EQ(failed(with_tcb_info(replaced(info, "\"UpToDate\"", "\"Fine\""))), "tcb_info.content");
  size_t levels = info.rfind("\"tcbLevels\"");
  std::string revoked =
      info.substr(0, levels) + replaced(info.substr(levels), "\"UpToDate\"", "\"Revoked\"");
  EXPECT_EQ(failed(with_tcb_info(revoked)), "tcb.status");
  Policy lenient = Policy::development();
  lenient.tcb_statuses.insert(kRevoked);
  EXPECT_FALSE(judged(platform_->quote_bytes({}), with_tcb_info(revoked), lenient).accepted);
}

TEST_F(Attack, A08A09CertificatesWithoutTheirPlace) {
  auto pem = [](const Bytes& der) { return to_pem(Certificate::from_der(der)); };
  std::string leaf = pem(platform_->pck_der()), middle = pem(platform_->intermediate_der()),
              root = pem(platform_->root_der());
  auto broken = [&](const std::string& chain) {
    return failed_check(judged(with_chain(chain), collateral()));
  };
  ASSERT_EQ(broken(leaf + middle + root), "");
  const DevKey intermediate = key("intermediate.key"), root_key = key("root.key");
  for (int nid : {NID_authority_key_identifier, NID_key_usage, NID_basic_constraints}) {
    EXPECT_EQ(broken(without(platform_->pck_der(), nid, intermediate) + middle + root),
              "pck_chain.leaf")
        << OBJ_nid2sn(nid);
    EXPECT_EQ(broken(leaf + without(platform_->intermediate_der(), nid, root_key) + root),
              "pck_chain.intermediate")
        << OBJ_nid2sn(nid);
  }
  // Both identifiers absent must not count as equal.
  std::string anonymous =
      without(platform_->intermediate_der(), NID_subject_key_identifier, root_key);
  EXPECT_EQ(broken(without(platform_->pck_der(), NID_authority_key_identifier, intermediate) +
                   anonymous + root),
            "pck_chain.leaf");
  // A leaf that signs itself, and one that an attacker's own CA of the same name signs.
  CertificateRequest request{"Dev SGX PCK Certificate", Role::kLeaf, {}};
  DevKey own = DevKey::generate();
  EXPECT_EQ(broken(to_pem(make_certificate(request, own, nullptr, own)) + middle + root),
            "pck_chain.leaf");
  Certificate real = Certificate::from_der(platform_->intermediate_der());
  EXPECT_EQ(broken(to_pem(make_certificate(request, own, &real, own)) + middle + root),
            "pck_chain.leaf");
  // A certificate authority in the leaf's place.
  CertificateRequest authority{"Dev SGX PCK Certificate", Role::kIntermediate, {}};
  EXPECT_EQ(broken(to_pem(make_certificate(authority, own, &real, intermediate)) + middle + root),
            "pck_chain.leaf");
}

TEST_F(Attack, A10ForeignStaleAndUnnumberedLists) {
  Certificate root = Certificate::from_der(platform_->root_der());
  Certificate intermediate = Certificate::from_der(platform_->intermediate_der());
  int64_t now = std::time(nullptr);
  Collateral c = collateral();
  c.pck_crl = make_crl(intermediate, DevKey::generate(), now - 60, now + 60, {});
  EXPECT_EQ(failed(c), "crl.pck") << "the right name, another's key";
  c = collateral();
  c.pck_crl = make_crl(root, key("root.key"), now - 60, now + 60, {});
  EXPECT_EQ(failed(c), "crl.pck") << "the root's list in its place";
  c = collateral();
  c.pck_crl = make_crl(intermediate, key("intermediate.key"), now - 120, now - 60, {});
  EXPECT_EQ(failed(c), "crl.pck") << "stale";
  c.pck_crl = make_crl(intermediate, key("intermediate.key"), now + 60, now + 120, {});
  EXPECT_EQ(failed(c), "crl.pck") << "from the future";
  const Bytes good = make_crl(intermediate, key("intermediate.key"), now - 60, now + 60, {});
  c.pck_crl = good;
  EXPECT_EQ(failed(c), "");
  for (int nid : {NID_crl_number, NID_authority_key_identifier}) {
    const unsigned char* at = good.data();
    CrlPtr crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(good.size())));
    const int where = X509_CRL_get_ext_by_NID(crl.get(), nid, -1);
    ASSERT_GE(where, 0);
    ExtensionPtr gone(X509_CRL_delete_ext(crl.get(), where));
    ASSERT_GT(X509_CRL_sign(crl.get(), key("intermediate.key").handle(), EVP_sha256()), 0);
    c.pck_crl = to_der(i2d_X509_CRL, crl.get());
    EXPECT_EQ(failed(c), "crl.pck") << "without " << OBJ_nid2sn(nid);
  }
  c.pck_crl.clear();
  EXPECT_EQ(failed(c), "crl.pck") << "missing";
  c = collateral();
  c.root_ca_crl = make_crl(root, key("root.key"), now - 120, now - 60, {});
  EXPECT_EQ(failed(c), "crl.root");
}

TEST_F(Attack, A14AnAttestationKeyThatTheReportIsNotAbout) {
  for (size_t at = 0; at < 64; ++at) {
    EXPECT_EQ(failed_qe(flip(kQeReportData + at)), "qe_report.key_binding") << at;
  }
}

TEST_F(Attack, A15OtherQuotingEnclaves) {
  ASSERT_EQ(failed_qe(flip(kQeAttributes, 0x04)), "") << "a bit outside the mask";
  for (Edit edit : {flip(kQeMiscSelect), flip(kQeAttributes, 0x02), flip(kQeSigner),
                    flip(kQeProduct), Edit([](Bytes& r) { r[kQeVersion] = 3; })}) {
    EXPECT_EQ(failed_qe(edit), "qe_report.identity");
  }
}

TEST_F(Attack, A16OtherTdxModules) {
  EXPECT_EQ(failed_td(flip(kSignerSeam + 47)), "tdx_module.identity");
  EXPECT_EQ(failed_td(flip(kSeamAttributes)), "tdx_module.identity");
  EXPECT_EQ(failed_td([](Bytes& r) { r[kTcbSvn + 1] = 9; }), "tdx_module.identity");
  EXPECT_EQ(failed_td([](Bytes& r) { r[kTcbSvn] = 1; }), "tdx_module.identity");
  // With a module identity its version is no business of the levels; the loader's is.
  EXPECT_EQ(failed_td([](Bytes& r) { r[kTcbSvn] = 255; }), "");
  EXPECT_EQ(failed_td([](Bytes& r) { r[kTcbSvn + 2] = 1; }), "tcb.level");
}

TEST_F(Attack, A17ConfusedVersions) {
  Bytes quote = platform_->quote_bytes({}, {.version = 5, .td15 = true});
  ASSERT_EQ(failed_check(judged(quote, collateral())), "");
  auto changed = [&](size_t at, uint8_t value) {
    Bytes out = quote;
    out[at] = value;
    return failed_check(judged(out, collateral()));
  };
  EXPECT_EQ(changed(48, 1), "quote.format") << "an SGX body beside TEE type TDX";
  EXPECT_EQ(changed(48, 2), "quote.format") << "type 2 with the size of type 3";
  EXPECT_EQ(changed(50, 0x48), "quote.format");
  EXPECT_NE(changed(0, 4), "") << "a version 5 quote that says 4";
  Bytes four = platform_->quote_bytes({});
  four[0] = 5;
  EXPECT_NE(failed_check(judged(four, collateral())), "");
}

TEST_F(Attack, A18TheRightFirmwareWithOtherSoftware) {
  Policy pinned = Policy::development();
  pinned.workload_ids = {platform_->code_hash()};
  ASSERT_EQ(failed(SimulatedQuoteOptions{}, pinned), "");
  for (size_t at : {kRtmr1, kConfigId, kXfam + 2, kTdAttributes + 3}) {
    // Bits that are allowed as such: XFAM 18 (AMX), TDATTRIBUTES 30 (PKS).
    uint8_t bits = at == kXfam + 2 ? 0x04 : at == kTdAttributes + 3 ? 0x40 : 1;
    EXPECT_EQ(failed({.edit_td = flip(at, bits)}, pinned), "policy.measurement") << at;
  }
}

TEST_F(Attack, A23ADevelopmentRootInProduction) {
  Bytes quote = platform_->quote_bytes({});
  EXPECT_EQ(failed_check(verify(quote, collateral(), intel_root(), std::time(nullptr), Policy{})),
            "pck_chain.root");
  EXPECT_EQ(failed_check(judged(quote, collateral(), Policy{})), "anchor.permitted");
  // Intel's name on it changes nothing: the root is known by its bytes.
  TrustAnchor renamed = platform_->anchor();
  renamed.development = false;
  renamed.certificate_sha256 = intel_root().certificate_sha256;
  EXPECT_EQ(failed_check(verify(quote, collateral(), renamed, std::time(nullptr), Policy{})),
            "pck_chain.root");
}

}  // namespace
}  // namespace ffe::tee
