#include "tee/quote.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "tee/reader.hpp"

namespace ffe::tee {
namespace {

constexpr size_t kTd10Size = 584;
constexpr size_t kTd15Size = 648;
constexpr size_t kQeReportSize = 384;
constexpr size_t kLengthSize = 4;  // of the signature section
constexpr size_t kSignatureSize = 64;
constexpr size_t kKeySize = 64;
constexpr uint16_t kEcdsaP256 = 2;
constexpr uint32_t kTeeTdx = 0x81;
constexpr uint16_t kCertPckChain = 5;
constexpr uint16_t kCertQeReport = 6;
constexpr std::array<uint8_t, 16> kIntelVendor = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                                  0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

[[noreturn]] void fail(ErrorCode code, const std::string& message, const std::string& hint) {
  throw Error(code, "quote: " + message, hint);
}

uint16_t read_header(Reader& in) {
  uint16_t version = in.u16("version");
  if (version != 4 && version != 5) {
    fail(ErrorCode::kUnsupported, "version " + std::to_string(version) + " at offset 0",
         "TDX quotes have version 4 or 5");
  }
  uint16_t key_type = in.u16("attestation key type");
  if (key_type != kEcdsaP256) {
    fail(ErrorCode::kUnsupported,
         "attestation key type " + std::to_string(key_type) + " at offset 2",
         "only ECDSA over P-256 (type 2) is in use");
  }
  uint32_t tee = in.u32("TEE type");
  if (tee != kTeeTdx) {
    fail(ErrorCode::kUnsupported, "TEE type " + std::to_string(tee) + " at offset 4",
         "this verifier takes TDX quotes (type 129), not SGX");
  }
  in.take(4, "reserved");
  ByteView vendor = in.take(16, "QE vendor id");
  if (!std::equal(vendor.begin(), vendor.end(), kIntelVendor.begin())) {
    fail(ErrorCode::kUnsupported, "unknown QE vendor id at offset 12",
         "only quotes of Intel's quoting enclave are understood");
  }
  in.take(20, "user data");
  return version;
}

// Version 5 says which report follows; version 4 has only TD report 1.0.
TdVersion read_body_descriptor(Reader& in, uint16_t version) {
  if (version == 4) return TdVersion::k10;
  uint16_t type = in.u16("body type");
  uint32_t size = in.u32("body size");
  if (type == 2 && size == kTd10Size) return TdVersion::k10;
  if (type == 3 && size == kTd15Size) return TdVersion::k15;
  fail(ErrorCode::kBadInput,
       "body type " + std::to_string(type) + " with size " + std::to_string(size) + " at offset 48",
       "a TDX body has type 2 (584 bytes) or 3 (648 bytes)");
}

TdReport read_td_report(Reader& in, TdVersion version) {
  TdReport td;
  td.version = version;
  td.tee_tcb_svn = in.fixed<16>("TEE_TCB_SVN");
  td.mr_seam = in.fixed<48>("MRSEAM");
  td.mr_signer_seam = in.fixed<48>("MRSIGNERSEAM");
  td.seam_attributes = in.fixed<8>("SEAMATTRIBUTES");
  td.td_attributes = in.fixed<8>("TDATTRIBUTES");
  td.xfam = in.fixed<8>("XFAM");
  td.mr_td = in.fixed<48>("MRTD");
  td.mr_config_id = in.fixed<48>("MRCONFIGID");
  td.mr_owner = in.fixed<48>("MROWNER");
  td.mr_owner_config = in.fixed<48>("MROWNERCONFIG");
  for (Measurement& rtmr : td.rtmr) rtmr = in.fixed<48>("RTMR");
  td.report_data = in.fixed<64>("REPORTDATA");
  if (version == TdVersion::k15) {
    td.tee_tcb_svn2 = in.fixed<16>("TEE_TCB_SVN_2");
    td.mr_service_td = in.fixed<48>("MRSERVICETD");
  }
  return td;
}

QeReport read_qe_report(ByteView raw, size_t origin) {
  Reader in(raw, "quote: QE report", origin);
  QeReport qe;
  qe.raw.assign(raw.begin(), raw.end());
  qe.cpu_svn = in.fixed<16>("CPUSVN");
  qe.misc_select = in.fixed<4>("MISCSELECT");
  in.take(28, "reserved");
  qe.attributes = in.fixed<16>("ATTRIBUTES");
  qe.mr_enclave = in.fixed<32>("MRENCLAVE");
  in.take(32, "reserved");
  qe.mr_signer = in.fixed<32>("MRSIGNER");
  in.take(96, "reserved");
  qe.isv_prod_id = in.u16("ISVPRODID");
  qe.isv_svn = in.u16("ISVSVN");
  in.take(60, "reserved");
  qe.report_data = in.fixed<64>("REPORTDATA");
  return qe;
}

void expect_certification(Reader& in, uint16_t wanted, std::string_view what) {
  size_t at = in.offset();
  uint16_t type = in.u16(what);
  if (type != wanted) {
    fail(ErrorCode::kUnsupported,
         std::string(what) + " is " + std::to_string(type) + " at offset " + std::to_string(at) +
             ", expected " + std::to_string(wanted),
         "the platform must put its PCK certificate chain into the quote (types 6 and 5)");
  }
  size_t size_at = in.offset();
  uint32_t size = in.u32("certification data size");
  if (size != in.left()) {
    fail(ErrorCode::kBadInput,
         "certification data size " + std::to_string(size) + " at offset " +
             std::to_string(size_at) + ", but " + std::to_string(in.left()) +
             " bytes remain of the signature section",
         "the quote is damaged; ask for a new one");
  }
}

void read_signature_section(Reader& in, Quote& quote) {
  quote.signature = in.fixed<64>("quote signature");
  quote.attestation_key = in.fixed<64>("attestation key");
  expect_certification(in, kCertQeReport, "certification data type");
  size_t at = in.offset();
  quote.qe = read_qe_report(in.take(kQeReportSize, "QE report"), at);
  quote.qe_signature = in.fixed<64>("QE report signature");
  ByteView auth = in.take(in.u16("QE authentication data size"), "QE authentication data");
  quote.qe_auth.assign(auth.begin(), auth.end());
  expect_certification(in, kCertPckChain, "inner certification data type");
  std::string_view pem = as_text(in.take(in.left(), "PCK chain"));
  // Intel's library appends NULs; anything else after the text stays and is refused as PEM.
  while (!pem.empty() && pem.back() == '\0') pem.remove_suffix(1);
  quote.pck_chain = pem;
}

Bytes identity_preimage(const TdReport& td, bool with_rtmr3) {
  Bytes out = concat({td.mr_td.bytes, td.rtmr[0].bytes, td.rtmr[1].bytes, td.rtmr[2].bytes});
  if (with_rtmr3) append(out, td.rtmr[3].bytes);
  append(out, td.mr_config_id.bytes);
  append(out, td.xfam.bytes);
  append(out, td.td_attributes.bytes);
  return out;
}

}  // namespace

Quote parse_quote(ByteView blob) {
  if (blob.size() > kMaxQuoteSize) {
    fail(ErrorCode::kBadInput, std::to_string(blob.size()) + " bytes is more than a quote has",
         "pass the binary quote, at most 65536 bytes");
  }
  Reader in(blob, "quote");
  Quote quote;
  quote.version = read_header(in);
  quote.td = read_td_report(in, read_body_descriptor(in, quote.version));
  ByteView signed_region = blob.first(in.offset());
  quote.signed_region.assign(signed_region.begin(), signed_region.end());

  uint32_t section_size = in.u32("signature section size");
  size_t section_at = in.offset();
  Reader section(in.take(section_size, "signature section"), "quote", section_at);
  read_signature_section(section, quote);

  quote.size = in.offset();
  quote.trailing = in.left();
  if (quote.trailing > kMaxTrailing) {
    fail(ErrorCode::kBadInput,
         std::to_string(quote.trailing) + " bytes follow the quote at offset " +
             std::to_string(quote.size),
         "at most " + std::to_string(kMaxTrailing) + " padding bytes are tolerated");
  }
  return quote;
}

ByteView cut_quote(ByteView blob) {
  Reader in(blob.first(std::min(blob.size(), kMaxQuoteSize)), "quote");
  read_td_report(in, read_body_descriptor(in, read_header(in)));
  in.take(kLengthSize + kSignatureSize + kKeySize, "signature and attestation key");
  return blob.first(in.offset());
}

bool same_quote(ByteView a, ByteView b) {
  return std::ranges::equal(cut_quote(a), cut_quote(b));
}

Bytes complete_quote(ByteView cut, ByteView whole) {
  const ByteView ours = cut_quote(cut), theirs = cut_quote(whole);
  if (!std::ranges::equal(ours.last(kKeySize), theirs.last(kKeySize))) {
    fail(ErrorCode::kBadInput, "the two are by different attestation keys",
         "certification data vouches for one key only");
  }
  constexpr size_t kTail = kSignatureSize + kKeySize;
  // The length is that of the section which is put together here.
  const ByteView length = theirs.last(kTail + kLengthSize).first(kLengthSize);
  return concat({ours.first(ours.size() - kTail - kLengthSize), length, ours.last(kTail),
                 whole.subspan(theirs.size())});
}

H256 workload_id(const TdReport& report) {
  return crypto::keccak256(identity_preimage(report, true));
}

H256 workload_id(const Quote& quote) {
  return workload_id(quote.td);
}

H256 platform_hash(const TdReport& report) {
  return crypto::keccak256(identity_preimage(report, false));
}

Json to_json(const Quote& quote) {
  const TdReport& td = quote.td;
  Json rtmrs = Json::array();
  for (const Measurement& rtmr : td.rtmr) rtmrs.push_back(to_hex0x(rtmr.bytes));
  Json out = {
      {"version", quote.version},
      {"tdReport", td.version == TdVersion::k15 ? "1.5" : "1.0"},
      {"size", quote.size},
      {"trailing", quote.trailing},
      {"teeTcbSvn", to_hex0x(td.tee_tcb_svn.bytes)},
      {"mrSeam", to_hex0x(td.mr_seam.bytes)},
      {"mrSignerSeam", to_hex0x(td.mr_signer_seam.bytes)},
      {"seamAttributes", to_hex0x(td.seam_attributes.bytes)},
      {"tdAttributes", to_hex0x(td.td_attributes.bytes)},
      {"xfam", to_hex0x(td.xfam.bytes)},
      {"mrTd", to_hex0x(td.mr_td.bytes)},
      {"mrConfigId", to_hex0x(td.mr_config_id.bytes)},
      {"mrOwner", to_hex0x(td.mr_owner.bytes)},
      {"mrOwnerConfig", to_hex0x(td.mr_owner_config.bytes)},
      {"rtmrs", rtmrs},
      {"reportData", to_hex0x(td.report_data.bytes)},
      {"workloadId", to_hex0x(workload_id(td).bytes)},
      {"platformHash", to_hex0x(platform_hash(td).bytes)},
      {"attestationKey", to_hex0x(quote.attestation_key.bytes)},
      {"qe",
       {{"mrEnclave", to_hex0x(quote.qe.mr_enclave.bytes)},
        {"mrSigner", to_hex0x(quote.qe.mr_signer.bytes)},
        {"isvProdId", quote.qe.isv_prod_id},
        {"isvSvn", quote.qe.isv_svn}}},
  };
  if (td.version == TdVersion::k15) {
    out["teeTcbSvn2"] = to_hex0x(td.tee_tcb_svn2.bytes);
    out["mrServiceTd"] = to_hex0x(td.mr_service_td.bytes);
  }
  return out;
}

}  // namespace ffe::tee
