#include "client/report_check.hpp"

#include "base/hex.hpp"
#include "crypto/address.hpp"
#include "gate/recompute.hpp"
#include "session/randomness.hpp"
#include "storage/merkle.hpp"

namespace ffe::client {
namespace {

using session::ReportCheck;

void add(std::vector<ReportCheck>& checks, std::string name, bool passed, std::string detail) {
  checks.push_back({std::move(name), passed, std::move(detail)});
}

void add_root(std::vector<ReportCheck>& checks, const char* file, ByteView bytes,
              const H256& certified) {
  const H256 root = storage::data_root(bytes);
  add(checks, std::string(file) + " has the certified root", root == certified,
      to_hex0x(root.bytes));
}

const H256& gate_root_of(const session::Certificate& certificate) {
  return std::visit([](const auto& c) -> const H256& { return c.gate_root; }, certificate);
}

const H256& seal_hash_of(const session::Certificate& certificate) {
  return std::visit([](const auto& c) -> const H256& { return c.seal_hash; }, certificate);
}

}  // namespace

std::vector<ReportCheck> check_record(const PublicRecord& record) {
  const session::GateReport gate = session::parse_gate_report(as_text(record.gate));
  std::optional<session::TrainingReport> report;
  if (record.report) report = session::parse_training_report(as_text(*record.report));

  std::vector<ReportCheck> checks;
  if (record.certificate) {
    const session::SignedCertificate& signed_certificate = *record.certificate;
    if (record.enclave_signer) {
      const Address signer = signed_certificate.signer();
      add(checks, "certificate is signed by the session's enclave",
          signer == *record.enclave_signer, crypto::checksum_address(signer));
    }
    if (record.seal_hash) {
      add(checks, "certificate is of these submissions",
          seal_hash_of(signed_certificate.certificate) == *record.seal_hash,
          to_hex0x(record.seal_hash->bytes));
    }
    add_root(checks, "gate.json", record.gate, gate_root_of(signed_certificate.certificate));
  }
  for (ReportCheck& check : gate::recompute(gate)) checks.push_back(std::move(check));

  const auto* result =
      record.certificate ? std::get_if<session::ResultCertificate>(&record.certificate->certificate)
                         : nullptr;
  if (result == nullptr) return checks;
  if (record.seed_commitment) {
    add(checks, "seed is the committed one",
        session::seed_commitment(result->seed.bytes) == *record.seed_commitment,
        to_hex0x(result->seed.bytes));
  }
  if (record.report) add_root(checks, "report.json", *record.report, result->report_root);
  for (ReportCheck& check : session::check_reports(*result, gate, report ? &*report : nullptr)) {
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace ffe::client
