// Recomputes what a finished session claims: every evidence, hash and signature, from public data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "session/certificates.hpp"
#include "session/reports.hpp"

namespace ffe::client {

// What is public about a session's end. Members that are absent leave their checks out.
struct PublicRecord {
  Bytes gate;                   // gate.json, byte for byte
  std::optional<Bytes> report;  // report.json
  std::optional<session::SignedCertificate> certificate;
  std::optional<Address> enclave_signer;  // by the registry
  std::optional<H256> seed_commitment;    // by the session's terms
  std::optional<H256> seal_hash;          // recomputed from the submissions
};

// Every check by name; a later one may rest on an earlier one. Never throws for a claim that is
// wrong, only for bytes that are no reports at all: Error{kBadInput} naming the file.
std::vector<session::ReportCheck> check_record(const PublicRecord& record);

}  // namespace ffe::client
