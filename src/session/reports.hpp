// The public reports gate.json and report.json (docs/spec/session.md, docs/spec/gate.md): canonical
// JSON of strings, whole numbers, arrays and objects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "session/certificates.hpp"
#include "session/recipe.hpp"
#include "session/terms.hpp"

namespace ffe::session {

// What became of a contributor's rows. rows = invalid + distinct + duplicates; kept is what is left
// of the distinct rows after the screens.
struct RowCounts {
  uint64_t rows = 0;        // non-blank lines
  uint64_t invalid = 0;     // break the schema
  uint64_t duplicates = 0;  // near-copies of a row of the same contribution
  uint64_t distinct = 0;
  uint64_t unusable = 0;  // no answer within the sequence length
  uint64_t copies = 0;    // near-copies of an earlier contributor's row
  uint64_t empty = 0;     // no answer
  uint64_t echo = 0;      // the answer repeats the question
  uint64_t repeated = 0;  // one answer to unlike questions
  uint64_t unlikely = 0;  // answers far less likely than any of the pool's
  uint64_t kept = 0;
  uint64_t used = 0;       // trained on: at most maxRows of the kept
  uint64_t gate_rows = 0;  // in the statistic

  bool operator==(const RowCounts&) const = default;
};

// One seed's training and measurement; values in micro-nats, ascending.
struct GateRun {
  std::vector<int64_t> harm;
  std::vector<int64_t> relevance_lost;
  Uint128 evidence = 0;   // of more harm than the tolerances
  Uint128 suspicion = 0;  // of more harm than gate::suspicion_tolerance of them: never smaller

  bool operator==(const GateRun&) const = default;
};

struct GateFinding {
  Address contributor;
  H256 blob_root;
  Verdict verdict = Verdict::kAccept;
  Reason reason = Reason::kNone;
  std::string text;  // what was found, with number and threshold
  RowCounts counts;
  uint64_t pool_overlap = 0;      // pool rows that near-copy this contributor's
  uint64_t repeated_answers = 0;  // unlike questions of its largest cluster of one answer
  Uint128 evidence = 0;           // the smallest of the runs'; 0 without a run
  std::vector<GateRun> runs;      // one seed, three for suspects
  std::vector<int64_t> gain;      // with acceptRule 1 only
  Uint128 gain_evidence = 0;

  bool operator==(const GateFinding&) const = default;
};

struct PoolFitness {
  std::vector<int64_t> relevance;  // clip(M - L) of the base model
  Uint128 relevance_evidence = 0;
  std::vector<int64_t> calibration;  // clip(L(base) - L(A_0))
  Uint128 calibration_evidence = 0;
  int64_t pool_loss_micro_nats = 0;  // base model, mean over the evaluation rows
  int64_t sample_loss_micro_nats = 0;

  bool operator==(const PoolFitness&) const = default;
};

struct GateReport {
  H256 seal_hash;
  GatePolicy policy;
  uint32_t max_rows = 0;
  std::string engine;        // "ffe 0.1.0"
  std::string numeric_path;  // "f32", …
  std::string outcome;       // "fit", "unfit" (pool), "too_small" (pool)
  std::string outcome_text;  // for people
  uint64_t pool_rows = 0;
  uint64_t pool_duplicates = 0;  // rows dropped as near-copies within the pool
  uint64_t pool_overlap = 0;     // rows dropped as near-copies of contributors' rows
  uint64_t pool_pairs = 0;       // left to draw from
  uint64_t sample_rows = 0;
  uint32_t calibration_rows = 0;
  PoolFitness fitness;
  std::vector<GateFinding> contributors;  // in sealing order

  bool operator==(const GateReport&) const = default;
};

Json to_json(const GateReport& report);
std::string to_text(const GateReport& report);  // canonical, "format":"ffe.gate.v1"
GateReport parse_gate_report(std::string_view text);

struct ContributorShare {
  Address contributor;
  uint64_t rows = 0;
  uint64_t tokens = 0;

  bool operator==(const ContributorShare&) const = default;
};

struct TrainingReport {
  Domain domain;
  evm::U256 session_id;
  H256 session_hash;
  H256 seal_hash;
  SessionTerms terms;
  Recipe recipe;
  BaseModelManifest base_model;
  H256 gate_root;
  std::string engine;
  std::string numeric_path;
  std::vector<ContributorShare> shares;  // the accepted, in sealing order
  std::vector<int64_t> loss_curve;       // micro-nats, one per step
  uint64_t tokens = 0;                   // read in training, all epochs
  uint64_t target_tokens = 0;            // of these, in the loss
  uint32_t base_loss_micro_nats = 0;     // held out
  uint32_t joint_loss_micro_nats = 0;

  bool operator==(const TrainingReport&) const = default;
};

std::string to_text(const TrainingReport& report);  // canonical, "format":"ffe.report.v1"
TrainingReport parse_training_report(std::string_view text);

// One check of what a report claims.
struct ReportCheck {
  std::string name;
  bool passed = false;
  std::string detail;
};

// What the certificate, the gate report and the training report say about each other. (The evidence
// itself is recomputed by gate/recompute.hpp.) `report` may be null: nobody was trained.
std::vector<ReportCheck> check_reports(const ResultCertificate& result, const GateReport& gate,
                                       const TrainingReport* report);

}  // namespace ffe::session
