// Damaged quotes and collateral: refused at the first thing that does not hold, and never a crash.
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "tee/samples.hpp"
#include "tee/simulated.hpp"
#include "tee/x509.hpp"

namespace ffe::tee {
namespace {

constexpr int64_t kIssued = 1767139200;

// A platform of its own, so that these tests need no recorded quotes.
struct Fixture {
  Fixture() {
    std::string program = "program";
    write_file_atomic(folder.path() / "program", as_bytes(program));
    platform = std::make_unique<SimulatedPlatform>(
        SimulatedPlatform::create(folder.path() / "p", folder.path() / "program"));
    collateral = platform->collateral(SimulatedCollateralOptions{.issued = kIssued});
    anchor = platform->anchor();
  }
  Verification judge(ByteView quote) const { return judge(quote, collateral); }
  Verification judge(ByteView quote, const Collateral& c) const {
    return verify(quote, c, anchor, kSimulatedTime, Policy::development());
  }

  TempDir folder;
  std::unique_ptr<SimulatedPlatform> platform;
  Collateral collateral;
  TrustAnchor anchor;
};

const Fixture& fixture() {
  static const Fixture made;
  return made;
}

// A quote as a renewal brings it to the chain, and its certificates from another of the same
// machine.
TEST(Hostile, ACutQuoteIsCompletedByTheSameKeyOnly) {
  for (const SimulatedQuoteOptions& options :
       {SimulatedQuoteOptions{}, SimulatedQuoteOptions{.version = 5, .td15 = true}}) {
    FixedBytes<64> data;
    data[3] = 7;
    const SimulatedPlatform& platform = *fixture().platform;
    const Bytes fresh = platform.quote_bytes(data, options),
                old = platform.quote_bytes({}, options);
    const ByteView cut = cut_quote(fresh);
    EXPECT_LT(cut.size(), fresh.size());
    EXPECT_TRUE(same_quote(cut, fresh));
    EXPECT_FALSE(same_quote(cut, old));
    const Bytes completed = complete_quote(cut, old);
    EXPECT_TRUE(same_quote(completed, fresh));
    const Verification v = fixture().judge(completed);
    EXPECT_TRUE(v.accepted) << shown(v);
    EXPECT_EQ(v.quote->td.report_data, data);
    EXPECT_THROW(parse_quote(cut), Error);
    for (size_t size = 0; size < cut.size(); ++size) {
      EXPECT_THROW(cut_quote(cut.first(size)), Error) << size;
    }
    Bytes foreign(cut.begin(), cut.end());
    foreign.back() ^= 1;  // another key
    EXPECT_THROW(complete_quote(foreign, old), Error);
    // The length of the older quote counts, whatever the renewal said.
    Bytes lying(cut.begin(), cut.end());
    lying[cut.size() - 132] ^= 0xff;
    EXPECT_TRUE(fixture().judge(complete_quote(lying, old)).accepted);
  }
}

void every_flip_is_refused(const Bytes& quote) {
  ASSERT_TRUE(fixture().judge(quote).accepted);
  Bytes changed = quote;
  for (size_t i = 0; i < quote.size(); ++i) {
    changed[i] = quote[i] ^ static_cast<uint8_t>(1u << i % 8);
    Verification v = fixture().judge(changed);
    EXPECT_FALSE(v.accepted) << "offset " << i;
    EXPECT_NE(v.first_failed(), nullptr);
    changed[i] = quote[i];
  }
}

TEST(Hostile, EveryFlippedByteOfVersion4IsRefused) {
  every_flip_is_refused(fixture().platform->quote_bytes({}));
}

TEST(Hostile, EveryFlippedByteOfVersion5IsRefused) {
  every_flip_is_refused(fixture().platform->quote_bytes({}, {.version = 5, .td15 = true}));
}

TEST(Hostile, EveryFlippedByteOfIntelsQuoteIsRefused) {
  FFE_NEED_SAMPLES();
  Bytes quote = sample("dcap-qvl/tdx_quote");
  Collateral collateral = sample_collateral("dcap-qvl/tdx_quote_collateral.json");
  size_t size = parse_quote(quote).size;
  Bytes changed = quote;
  for (size_t i = 0; i < size; ++i) {
    changed[i] = quote[i] ^ 0x01;
    EXPECT_FALSE(verify(changed, collateral, intel_root(), kIntelTime, Policy{}).accepted) << i;
    changed[i] = quote[i];
  }
  // What follows the quote is signed by nobody and decides nothing.
  for (size_t i = size; i < quote.size(); ++i) changed[i] = 0xa5;
  EXPECT_TRUE(verify(changed, collateral, intel_root(), kIntelTime, Policy{}).accepted);
}

TEST(Hostile, EveryTruncationIsRefused) {
  for (SimulatedQuoteOptions options :
       {SimulatedQuoteOptions{}, SimulatedQuoteOptions{.version = 5},
        SimulatedQuoteOptions{.version = 5, .td15 = true}}) {
    Bytes quote = fixture().platform->quote_bytes({}, options);
    for (size_t size = 0; size < quote.size(); ++size) {
      Verification v = fixture().judge(ByteView(quote).first(size));
      EXPECT_EQ(failed_check(v), "quote.format") << size;
    }
  }
}

TEST(Hostile, LengthFieldsAreBounded) {
  Bytes quote = fixture().platform->quote_bytes({});
  // Signature section size, certification data size, QE authentication size, inner size.
  for (size_t at :
       {size_t{632}, size_t{636 + 130}, size_t{636 + 582}, size_t{636 + 584 + 32 + 2}}) {
    for (uint32_t value : {0u, 1u, 133u, 0x7fffu, 0xffffu, 0x7fffffffu, 0xffffffffu}) {
      Bytes changed = quote;
      changed[at] = static_cast<uint8_t>(value);
      changed[at + 1] = static_cast<uint8_t>(value >> 8);
      if (at != 636 + 582) {
        changed[at + 2] = static_cast<uint8_t>(value >> 16);
        changed[at + 3] = static_cast<uint8_t>(value >> 24);
      }
      EXPECT_EQ(failed_check(fixture().judge(changed)), "quote.format") << at << " " << value;
    }
  }
}

TEST(Hostile, PaddingIsToleratedWithinBounds) {
  Bytes quote = fixture().platform->quote_bytes({});
  Bytes padded = quote;
  padded.resize(quote.size() + kMaxTrailing);
  Verification v = fixture().judge(padded);
  EXPECT_TRUE(v.accepted);
  EXPECT_EQ(v.quote->size, quote.size());
  EXPECT_EQ(v.quote->trailing, kMaxTrailing);
  padded.push_back(0);
  EXPECT_FALSE(fixture().judge(padded).accepted);
  EXPECT_FALSE(fixture().judge(Bytes(kMaxQuoteSize + 1)).accepted);
}

TEST(Hostile, ForeignKindsAreUnsupported) {
  Bytes quote = fixture().platform->quote_bytes({});
  struct Row {
    size_t offset;
    uint8_t value;
  };
  for (const Row& row : {Row{0, 3}, Row{0, 6}, Row{2, 3}, Row{4, 0}, Row{12, 0}, Row{636 + 128, 5},
                         Row{636 + 584 + 32, 1}}) {
    Bytes changed = quote;
    changed[row.offset] = row.value;
    try {
      parse_quote(changed);
      FAIL() << row.offset;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported) << row.offset;
      EXPECT_FALSE(error.hint().empty());
    }
  }
  Bytes v5 = fixture().platform->quote_bytes({}, {.version = 5});
  v5[48] = 3;  // says TD report 1.5, has the size of 1.0
  EXPECT_THROW(parse_quote(v5), Error);
}

FixedBytes<64> mirrored(const FixedBytes<64>& signature) {
  // s -> n - s, the other valid form of the same ECDSA signature.
  Bytes order = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  FixedBytes<64> out = signature;
  int borrow = 0;
  for (int i = 31; i >= 0; --i) {
    int digit = order[static_cast<size_t>(i)] - signature[32 + static_cast<size_t>(i)] - borrow;
    borrow = digit < 0;
    out[32 + static_cast<size_t>(i)] = static_cast<uint8_t>(digit);
  }
  return out;
}

TEST(Hostile, SignatureEdgeValues) {
  Bytes quote = fixture().platform->quote_bytes({});
  auto with_signature = [&](const FixedBytes<64>& signature) {
    Bytes out = quote;
    std::copy(signature.begin(), signature.end(), out.begin() + 636);
    return fixture().judge(out);
  };
  FixedBytes<64> signature = parse_quote(quote).signature;
  EXPECT_TRUE(with_signature(mirrored(signature)).accepted) << "both forms of s are valid";
  FixedBytes<64> zero_r = signature, zero_s = signature, order_r = signature;
  std::fill(zero_r.begin(), zero_r.begin() + 32, 0);
  std::fill(zero_s.begin() + 32, zero_s.end(), 0);
  Bytes order = from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  std::copy(order.begin(), order.end(), order_r.begin());
  for (const FixedBytes<64>& bad : {zero_r, zero_s, order_r, FixedBytes<64>{}}) {
    EXPECT_EQ(failed_check(with_signature(bad)), "quote.signature");
  }
}

TEST(Hostile, AttestationKeyMustBeOnTheCurveAndBound) {
  Bytes quote = fixture().platform->quote_bytes({});
  FixedBytes<64> off_curve;
  off_curve[63] = 1;
  EXPECT_FALSE(verify_p256(off_curve, quote, parse_quote(quote).signature));
  Bytes changed = quote;
  std::copy(off_curve.begin(), off_curve.end(), changed.begin() + 636 + 64);
  EXPECT_EQ(failed_check(fixture().judge(changed)), "qe_report.key_binding");
}

// Replaces the PEM chain of a version 4 quote and fixes the sizes around it.
Bytes with_chain(const Bytes& quote, const std::string& pem) {
  constexpr size_t kSection = 636, kInner = kSection + 584 + 32;
  auto le32 = [](Bytes& out, size_t at, size_t value) {
    for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<uint8_t>(value >> 8 * i);
  };
  Bytes out = concat({ByteView(quote).first(kInner + 6), as_bytes(pem)});
  le32(out, kInner + 2, pem.size());
  le32(out, kSection + 130, out.size() - kSection - 134);
  le32(out, 632, out.size() - kSection);
  return out;
}

TEST(Hostile, ChainsOfOtherShapesAreRefused) {
  const SimulatedPlatform& p = *fixture().platform;
  Bytes quote = p.quote_bytes({});
  auto pem = [](const Bytes& der) { return to_pem(Certificate::from_der(der)); };
  std::string leaf = pem(p.pck_der()), middle = pem(p.intermediate_der()), root = pem(p.root_der());
  std::string signer = pem(p.tcb_signing_der());
  ASSERT_TRUE(fixture().judge(with_chain(quote, leaf + middle + root)).accepted);
  ASSERT_TRUE(
      fixture().judge(with_chain(quote, leaf + middle + root + std::string(3, '\0'))).accepted);

  std::string crlf = leaf + middle + root;
  for (size_t i = 0; (i = crlf.find('\n', i)) != std::string::npos; i += 2) crlf.insert(i, "\r");
  for (const std::string& chain :
       {std::string(), leaf, leaf + middle, leaf + middle + root + root, middle + leaf + root,
        leaf + root + middle, signer + middle + root, leaf + leaf + root, middle + middle + root,
        leaf + "\n" + middle + root, leaf + middle + root + "x", "x" + leaf + middle + root, crlf,
        (leaf + middle + root).substr(0, leaf.size() + middle.size() + root.size() - 1)}) {
    Verification v = fixture().judge(with_chain(quote, chain));
    EXPECT_EQ(failed_check(v), "pck_chain.certificates") << chain.size();
  }
}

TEST(Hostile, DamagedCollateralIsRefusedByName) {
  Bytes quote = fixture().platform->quote_bytes({});
  struct Row {
    const char* check;
    void (*damage)(Collateral&);
  };
  for (const Row& row : {
           Row{"crl.root", [](Collateral& c) { c.root_ca_crl.clear(); }},
           Row{"crl.root", [](Collateral& c) { c.root_ca_crl.back() ^= 1; }},
           Row{"crl.root", [](Collateral& c) { c.root_ca_crl.push_back(0); }},
           Row{"crl.root", [](Collateral& c) { c.root_ca_crl = c.pck_crl; }},
           Row{"crl.pck", [](Collateral& c) { c.pck_crl.clear(); }},
           Row{"crl.pck", [](Collateral& c) { c.pck_crl = c.root_ca_crl; }},
           Row{"tcb_info.issuer", [](Collateral& c) { c.tcb_info_issuer_chain.clear(); }},
           Row{"tcb_info.issuer",
               [](Collateral& c) { c.tcb_info_issuer_chain = c.pck_crl_issuer_chain; }},
           Row{"tcb_info.signature", [](Collateral& c) { c.tcb_info_signature[5] ^= 1; }},
           Row{"tcb_info.signature", [](Collateral& c) { c.tcb_info.clear(); }},
           Row{"qe_identity.issuer", [](Collateral& c) { c.qe_identity_issuer_chain += "x"; }},
           Row{"qe_identity.signature", [](Collateral& c) { c.qe_identity[20] ^= 1; }},
       }) {
    Collateral c = fixture().collateral;
    row.damage(c);
    EXPECT_EQ(failed_check(fixture().judge(quote, c)), row.check);
  }
  EXPECT_EQ(failed_check(fixture().judge(quote, Collateral{})), "crl.root");
}

TEST(Hostile, CollateralJsonErrorsNameTheMember) {
  Json json = to_json(fixture().collateral);
  EXPECT_EQ(collateral_from_json(json).tcb_info, fixture().collateral.tcb_info);
  for (const auto& [key, value] : json.items()) {
    Json broken = json;
    broken.erase(key);
    EXPECT_THROW(collateral_from_json(broken), Error);
    broken[key] = 7;
    try {
      collateral_from_json(broken);
      FAIL() << key;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  }
  json["pck_crl"] = "0g";
  EXPECT_THROW(collateral_from_json(json), Error);
  EXPECT_THROW(collateral_from_json(Json::array()), Error);
}

TEST(Hostile, TimesOutsideEveryValidityAreRefused) {
  Bytes quote = fixture().platform->quote_bytes({});
  for (int64_t time : {int64_t{0}, int64_t{-1}, kIssued - 1, INT64_MAX, INT64_MIN}) {
    EXPECT_FALSE(
        verify(quote, fixture().collateral, fixture().anchor, time, Policy::development()).accepted)
        << time;
  }
}

TEST(Hostile, VerdictAsJsonListsEveryCheck) {
  Bytes quote = fixture().platform->quote_bytes({});
  Json good = to_json(fixture().judge(quote));
  EXPECT_TRUE(good["accepted"].get<bool>());
  EXPECT_TRUE(good["simulated"].get<bool>());
  quote[700] ^= 1;
  Json bad = to_json(fixture().judge(quote));
  EXPECT_EQ(bad["checks"].size(), good["checks"].size());
  EXPECT_EQ(bad["checks"].back()["state"], "not evaluated");
  size_t failed = 0;
  for (const Json& check : bad["checks"]) {
    if (check["state"] != "failed") continue;
    ++failed;
    EXPECT_FALSE(check["advice"].get<std::string>().empty());
  }
  EXPECT_EQ(failed, 1u);
}

}  // namespace
}  // namespace ffe::tee
