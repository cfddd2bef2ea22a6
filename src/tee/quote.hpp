// Intel TDX quotes, versions 4 and 5, TD report 1.0 and 1.5 (Intel TDX DCAP Quoting Library API,
// appendix A): strict parsing, and the identities that are hashed out of a quote.
//
// Parsing proves nothing: every field is what whoever made the bytes wanted it to be until verify()
// has accepted them (verify.hpp).
#pragma once

#include <array>
#include <string>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace ffe::tee {

using Measurement = FixedBytes<48>;  // SHA-384

// The largest blob looked at, and how many bytes may follow the signature section. What follows is
// signed by nobody; platforms pad quotes to a fixed size.
inline constexpr size_t kMaxQuoteSize = 64 * 1024;
inline constexpr size_t kMaxTrailing = 16 * 1024;

enum class TdVersion { k10, k15 };  // TD report 1.0 (584 bytes), 1.5 (648 bytes)

struct TdReport {
  TdVersion version = TdVersion::k10;
  FixedBytes<16> tee_tcb_svn;  // [0] module minor, [1] module major, [2] SEAM loader
  Measurement mr_seam;
  Measurement mr_signer_seam;
  FixedBytes<8> seam_attributes;
  FixedBytes<8> td_attributes;
  FixedBytes<8> xfam;
  Measurement mr_td;
  Measurement mr_config_id;
  Measurement mr_owner;
  Measurement mr_owner_config;
  std::array<Measurement, 4> rtmr;
  FixedBytes<64> report_data;
  FixedBytes<16> tee_tcb_svn2;  // 1.5 only, else zero
  Measurement mr_service_td;    // 1.5 only, else zero

  bool debug() const { return td_attributes[0] != 0; }
};

struct QeReport {
  Bytes raw;  // 384 bytes, signed by the PCK key
  FixedBytes<16> cpu_svn;
  FixedBytes<4> misc_select;
  FixedBytes<16> attributes;
  H256 mr_enclave;
  H256 mr_signer;
  uint16_t isv_prod_id = 0;
  uint16_t isv_svn = 0;
  FixedBytes<64> report_data;
};

struct Quote {
  uint16_t version = 0;  // 4 or 5
  Bytes signed_region;   // header, v5 body descriptor, TD report
  TdReport td;
  FixedBytes<64> signature;        // r ‖ s by the attestation key over signed_region
  FixedBytes<64> attestation_key;  // x ‖ y, P-256
  QeReport qe;
  FixedBytes<64> qe_signature;  // r ‖ s by the PCK key over qe.raw
  Bytes qe_auth;
  std::string pck_chain;  // PEM: leaf, intermediate, root; trailing NULs removed
  size_t size = 0;        // bytes of the quote itself
  size_t trailing = 0;    // unsigned bytes that followed it
};

// Throws Error{kBadInput} that names field and offset; kUnsupported for a well-formed quote of
// another kind (SGX, P-384, certification data that is not a PCK chain).
Quote parse_quote(ByteView blob);

// A quote without its certification data, as the chain takes it where it knows the machine: header,
// body, length, signature, attestation key. All that follows says who vouches for the key. Throws
// as parse_quote does.
ByteView cut_quote(ByteView blob);

// Whether two blobs are one quote, cut or whole: everything up to the attestation key is equal.
bool same_quote(ByteView a, ByteView b);

// `cut` with the certification data of `whole`, a quote by the same attestation key. Throws
// Error{kBadInput} if it is by another.
Bytes complete_quote(ByteView cut, ByteView whole);

// keccak256(MRTD ‖ RTMR0 ‖ RTMR1 ‖ RTMR2 ‖ RTMR3 ‖ MRCONFIGID ‖ XFAM ‖ TDATTRIBUTES): the code hash
// of an enclave whose RTMR3 is static. The same as the flashtestations workload id.
H256 workload_id(const Quote& quote);
H256 workload_id(const TdReport& report);

// The same without RTMR3: the platform half where the application layer lives in an event log.
H256 platform_hash(const TdReport& report);

// Every field in hexadecimal, for display.
Json to_json(const Quote& quote);

}  // namespace ffe::tee
