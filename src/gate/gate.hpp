// The quality gate (docs/spec/gate.md): who is trained on, who is excluded, whose stake is slashed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "gate/learner.hpp"
#include "gate/statistic.hpp"
#include "lm/rows.hpp"
#include "session/reports.hpp"

namespace ffe::gate {

// How a contributor's blob arrived.
enum class Delivery : uint8_t {
  kDelivered,
  kNotAvailable,  // within the enclave's window: excluded
  kInvalid,       // matches its root and cannot be opened or is not JSONL: rejected
  kBadOwnerKey,   // excluded
};

struct Contribution {
  Address contributor;
  H256 blob_root;
  Delivery delivery = Delivery::kDelivered;
  std::string detail;         // why not delivered; no content of rows
  std::vector<lm::Row> rows;  // those that fit the schema
  uint64_t row_count = 0;     // non-blank lines, with those that do not
  uint64_t invalid_count = 0;
};

struct GateInputs {
  session::GatePolicy policy;
  uint32_t max_rows = 0;
  Bytes seed;  // 32 bytes
  H256 seal_hash;
  std::string engine;
  std::string numeric_path;
  std::vector<lm::Row> pool;
  std::vector<lm::Row> sample;
  std::vector<Contribution> contributions;  // in sealing order
};

struct GateResult {
  session::GateReport report;
  bool aborted = false;  // AbortReason::kPoolUnfit; the report says why
  // One per contribution.
  std::vector<session::ContributorVerdict> verdicts;
  // Indices into Contribution::rows for the joint training; empty unless accepted.
  std::vector<std::vector<size_t>> rows;
  // Held-out rows of the pool, for the losses that the result reports.
  std::vector<size_t> evaluation_rows;
};

GateResult run_gate(const GateInputs& inputs, Learner& learner, const StageProgress& = {});

// The certificate's numbers for a contributor rejected as harmful or invalid; gate_root is the
// storage root of gate.json. Throws Error{kInternal} for another verdict.
session::RejectionCertificate rejection_certificate(const session::GateReport& report,
                                                    size_t contributor, const H256& gate_root);

}  // namespace ffe::gate
