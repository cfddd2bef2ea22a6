// What Intel publishes about a platform and is needed to judge its quotes: revocation lists, TCB
// levels, the quoting enclave's identity, each with its signature and issuer chain.
#pragma once

#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/json.hpp"

namespace ffe::tee {

// The bundle that dcap-qvl calls QuoteCollateralV3. The two JSON documents are kept as the exact
// text that was signed; they are never re-serialised.
struct Collateral {
  std::string pck_crl_issuer_chain;      // PEM
  Bytes root_ca_crl;                     // DER
  Bytes pck_crl;                         // DER
  std::string tcb_info_issuer_chain;     // PEM: TCB signing, root
  std::string tcb_info;                  // JSON text of the inner object
  FixedBytes<64> tcb_info_signature;     // r ‖ s
  std::string qe_identity_issuer_chain;  // PEM
  std::string qe_identity;               // JSON text of the inner object
  FixedBytes<64> qe_identity_signature;  // r ‖ s
};

// Throws Error{kBadInput} naming the member.
Collateral collateral_from_json(const Json& json);
Json to_json(const Collateral& collateral);
Collateral read_collateral(const std::filesystem::path& file);

// A signed document as Intel's service sends it, {"tcbInfo":{…},"signature":"…"}: cuts out the
// exact text of `member` and the signature. Throws Error{kBadInput}.
struct SignedDocument {
  std::string text;
  FixedBytes<64> signature;
};
SignedDocument split_signed_document(std::string_view body, std::string_view member);

}  // namespace ffe::tee
