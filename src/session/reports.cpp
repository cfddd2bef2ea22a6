#include "session/reports.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "session/json_fields.hpp"

namespace ffe::session {
namespace {

constexpr size_t kMaxReport = 64u << 20;
constexpr size_t kMaxPairs = 4096;
constexpr size_t kMaxSteps = 10'000'000;

std::vector<int64_t> integers(Fields& f, std::string_view key, size_t limit) {
  std::vector<int64_t> out;
  f.each(key, limit, [&](const Json& item, const std::string& where) {
    if (!item.is_number_integer()) bad_field(where, "is not a whole number");
    out.push_back(item.get<int64_t>());
  });
  return out;
}

// One table for both directions, so that writer and reader cannot disagree.
template <class Counts, class Visit>
void visit_counts(Counts& c, Visit&& visit) {
  visit("rows", c.rows);
  visit("invalid", c.invalid);
  visit("duplicates", c.duplicates);
  visit("distinct", c.distinct);
  visit("unusable", c.unusable);
  visit("copies", c.copies);
  visit("empty", c.empty);
  visit("echo", c.echo);
  visit("repeated", c.repeated);
  visit("unlikely", c.unlikely);
  visit("kept", c.kept);
  visit("used", c.used);
  visit("gateRows", c.gate_rows);
}

Json counts_json(const RowCounts& counts) {
  Json out = Json::object();
  visit_counts(counts, [&](const char* key, uint64_t n) { out[key] = n; });
  return out;
}

RowCounts counts_from(const Json& json, const std::string& where) {
  Fields f(json, where);
  RowCounts counts;
  visit_counts(counts, [&](const char* key, uint64_t& n) { f.get(key, n); });
  f.done();
  return counts;
}

Json finding_json(const GateFinding& g) {
  Json runs = Json::array();
  for (const GateRun& run : g.runs) {
    runs.push_back({{"harm", run.harm},
                    {"relevanceLost", run.relevance_lost},
                    {"evidence", to_decimal(run.evidence)},
                    {"suspicion", to_decimal(run.suspicion)}});
  }
  return {{"contributor", to_hex0x(g.contributor.bytes)},
          {"blobRoot", to_hex0x(g.blob_root.bytes)},
          {"verdict", name(g.verdict)},
          {"reason", name(g.reason)},
          {"text", g.text},
          {"counts", counts_json(g.counts)},
          {"poolOverlap", g.pool_overlap},
          {"repeatedAnswers", g.repeated_answers},
          {"evidence", to_decimal(g.evidence)},
          {"runs", std::move(runs)},
          {"gain", g.gain},
          {"gainEvidence", to_decimal(g.gain_evidence)}};
}

GateRun run_from(const Json& json, const std::string& where) {
  Fields f(json, where);
  GateRun run;
  run.harm = integers(f, "harm", kMaxPairs);
  run.relevance_lost = integers(f, "relevanceLost", kMaxPairs);
  f.get("evidence", run.evidence);
  f.get("suspicion", run.suspicion);
  f.done();
  return run;
}

GateFinding finding_from(const Json& json, const std::string& where) {
  Fields f(json, where);
  GateFinding g;
  std::string verdict;
  std::string reason;
  f.get("contributor", g.contributor);
  f.get("blobRoot", g.blob_root);
  f.get("verdict", verdict);
  f.get("reason", reason);
  f.get("text", g.text);
  g.counts = counts_from(f.member("counts"), f.path("counts"));
  f.get("poolOverlap", g.pool_overlap);
  f.get("repeatedAnswers", g.repeated_answers);
  f.get("evidence", g.evidence);
  f.each("runs", 16, [&](const Json& item, const std::string& path) {
    g.runs.push_back(run_from(item, path));
  });
  g.gain = integers(f, "gain", kMaxPairs);
  f.get("gainEvidence", g.gain_evidence);
  f.done();
  g.verdict = verdict_from_name(verdict);
  g.reason = reason_from_name(reason);
  return g;
}

Json fitness_json(const PoolFitness& p) {
  return {{"relevance", p.relevance},
          {"relevanceEvidence", to_decimal(p.relevance_evidence)},
          {"calibration", p.calibration},
          {"calibrationEvidence", to_decimal(p.calibration_evidence)},
          {"poolLossMicroNats", p.pool_loss_micro_nats},
          {"sampleLossMicroNats", p.sample_loss_micro_nats}};
}

PoolFitness fitness_from(const Json& json, const std::string& where) {
  Fields f(json, where);
  PoolFitness p;
  p.relevance = integers(f, "relevance", kMaxPairs);
  f.get("relevanceEvidence", p.relevance_evidence);
  p.calibration = integers(f, "calibration", kMaxPairs);
  f.get("calibrationEvidence", p.calibration_evidence);
  f.get("poolLossMicroNats", p.pool_loss_micro_nats);
  f.get("sampleLossMicroNats", p.sample_loss_micro_nats);
  f.done();
  return p;
}

std::string number(uint64_t n) {
  return std::to_string(n);
}

void add(std::vector<ReportCheck>& checks, std::string name, bool passed, std::string detail) {
  checks.push_back({std::move(name), passed, std::move(detail)});
}

bool same_verdicts(const ResultCertificate& result, const GateReport& gate, std::string& detail) {
  if (result.verdicts.size() != gate.contributors.size()) {
    detail = number(result.verdicts.size()) + " in the certificate, " +
             number(gate.contributors.size()) + " in gate.json";
    return false;
  }
  for (size_t i = 0; i < result.verdicts.size(); ++i) {
    const ContributorVerdict& v = result.verdicts[i];
    const GateFinding& g = gate.contributors[i];
    if (v != ContributorVerdict{g.contributor, g.blob_root, g.verdict, g.reason, g.evidence}) {
      detail = "they differ for " + crypto::checksum_address(v.contributor);
      return false;
    }
  }
  detail = number(result.verdicts.size()) + " verdicts";
  return true;
}

}  // namespace

Json to_json(const GateReport& r) {
  Json contributors = Json::array();
  for (const GateFinding& g : r.contributors) contributors.push_back(finding_json(g));
  return {{"format", "ffe.gate.v1"},
          {"sealHash", to_hex0x(r.seal_hash.bytes)},
          {"policy", to_json(r.policy)},
          {"maxRows", r.max_rows},
          {"engine", r.engine},
          {"numericPath", r.numeric_path},
          {"outcome", r.outcome},
          {"outcomeText", r.outcome_text},
          {"pool",
           {{"rows", r.pool_rows},
            {"duplicates", r.pool_duplicates},
            {"overlap", r.pool_overlap},
            {"pairs", r.pool_pairs},
            {"sampleRows", r.sample_rows},
            {"calibrationRows", r.calibration_rows}}},
          {"fitness", fitness_json(r.fitness)},
          {"contributors", std::move(contributors)}};
}

std::string to_text(const GateReport& report) {
  return canonical_json(to_json(report));
}

GateReport parse_gate_report(std::string_view text) {
  const Json json = parse_canonical(text, "gate.json", kMaxReport);
  Fields f(json, "gate.json");
  GateReport r;
  f.expect("format", "ffe.gate.v1");
  f.get("sealHash", r.seal_hash);
  r.policy = gate_policy_from_json(f.member("policy"));
  f.get("maxRows", r.max_rows);
  f.get("engine", r.engine);
  f.get("numericPath", r.numeric_path);
  f.get("outcome", r.outcome);
  f.get("outcomeText", r.outcome_text);
  Fields pool(f.member("pool"), f.path("pool"));
  pool.get("rows", r.pool_rows);
  pool.get("duplicates", r.pool_duplicates);
  pool.get("overlap", r.pool_overlap);
  pool.get("pairs", r.pool_pairs);
  pool.get("sampleRows", r.sample_rows);
  pool.get("calibrationRows", r.calibration_rows);
  pool.done();
  r.fitness = fitness_from(f.member("fitness"), f.path("fitness"));
  f.each("contributors", kMaxParticipants, [&](const Json& item, const std::string& where) {
    r.contributors.push_back(finding_from(item, where));
  });
  f.done();
  return r;
}

std::string to_text(const TrainingReport& r) {
  Json shares = Json::array();
  for (const ContributorShare& s : r.shares) {
    shares.push_back(
        {{"contributor", to_hex0x(s.contributor.bytes)}, {"rows", s.rows}, {"tokens", s.tokens}});
  }
  return canonical_json({{"format", "ffe.report.v1"},
                         {"chainId", r.domain.chain_id},
                         {"coordinator", to_hex0x(r.domain.coordinator.bytes)},
                         {"sessionId", r.session_id.to_string()},
                         {"sessionHash", to_hex0x(r.session_hash.bytes)},
                         {"sealHash", to_hex0x(r.seal_hash.bytes)},
                         {"terms", to_json(r.terms)},
                         {"recipe", to_text(r.recipe)},
                         {"baseModel", to_text(r.base_model)},
                         {"gateRoot", to_hex0x(r.gate_root.bytes)},
                         {"engine", r.engine},
                         {"numericPath", r.numeric_path},
                         {"shares", std::move(shares)},
                         {"lossCurve", r.loss_curve},
                         {"tokens", r.tokens},
                         {"targetTokens", r.target_tokens},
                         {"baseLossMicroNats", r.base_loss_micro_nats},
                         {"jointLossMicroNats", r.joint_loss_micro_nats}});
}

TrainingReport parse_training_report(std::string_view text) {
  const Json json = parse_canonical(text, "report.json", kMaxReport);
  Fields f(json, "report.json");
  TrainingReport r;
  std::string recipe;
  std::string manifest;
  f.expect("format", "ffe.report.v1");
  f.get("chainId", r.domain.chain_id);
  f.get("coordinator", r.domain.coordinator);
  f.get("sessionId", r.session_id);
  f.get("sessionHash", r.session_hash);
  f.get("sealHash", r.seal_hash);
  r.terms = terms_from_json(f.member("terms"));
  f.get("recipe", recipe);
  f.get("baseModel", manifest);
  f.get("gateRoot", r.gate_root);
  f.get("engine", r.engine);
  f.get("numericPath", r.numeric_path);
  f.each("shares", kMaxParticipants, [&](const Json& item, const std::string& where) {
    Fields s(item, where);
    ContributorShare share;
    s.get("contributor", share.contributor);
    s.get("rows", share.rows);
    s.get("tokens", share.tokens);
    s.done();
    r.shares.push_back(share);
  });
  r.loss_curve = integers(f, "lossCurve", kMaxSteps);
  f.get("tokens", r.tokens);
  f.get("targetTokens", r.target_tokens);
  f.get("baseLossMicroNats", r.base_loss_micro_nats);
  f.get("jointLossMicroNats", r.joint_loss_micro_nats);
  f.done();
  r.recipe = parse_recipe(recipe);
  r.base_model = parse_manifest(manifest);
  return r;
}

std::vector<ReportCheck> check_reports(const ResultCertificate& result, const GateReport& gate,
                                       const TrainingReport* report) {
  std::vector<ReportCheck> checks;
  std::string detail;
  add(checks, "gate.json is this session's", gate.seal_hash == result.seal_hash,
      to_hex0x(gate.seal_hash.bytes));
  const bool verdicts = same_verdicts(result, gate, detail);
  add(checks, "verdicts agree with gate.json", verdicts, detail);
  if (report == nullptr) {
    add(checks, "no model without a report",
        result.artifact_root.is_zero() && result.owners.empty(),
        number(result.owners.size()) + " owners");
    return checks;
  }
  add(checks, "report.json is this session's", report->seal_hash == result.seal_hash,
      to_hex0x(report->seal_hash.bytes));
  add(checks, "report names gate.json", report->gate_root == result.gate_root,
      to_hex0x(report->gate_root.bytes));
  add(checks, "gate policy is the terms'",
      report->terms.gate == gate.policy && report->terms.max_rows == gate.max_rows,
      "gate.json and terms");
  add(checks, "recipe is the terms'", text_hash(to_text(report->recipe)) == report->terms.recipe,
      to_hex0x(report->terms.recipe.bytes));
  add(checks, "base model is the terms'",
      text_hash(to_text(report->base_model)) == report->terms.base_model,
      to_hex0x(report->terms.base_model.bytes));
  std::vector<Address> accepted;
  for (const ContributorVerdict& v : result.verdicts) {
    if (v.verdict == Verdict::kAccept) accepted.push_back(v.contributor);
  }
  std::vector<Address> trained;
  std::vector<Address> owners;
  for (const ContributorShare& s : report->shares) trained.push_back(s.contributor);
  for (const Owner& o : result.owners) owners.push_back(o.owner);
  add(checks, "trained on the accepted", trained == accepted, number(trained.size()) + " shares");
  add(checks, "owned by the accepted", owners == accepted, number(owners.size()) + " owners");
  const bool losses = report->base_loss_micro_nats == result.base_loss_micro_nats &&
                      report->joint_loss_micro_nats == result.joint_loss_micro_nats;
  add(checks, "losses agree with the certificate", losses,
      number(result.base_loss_micro_nats) + " to " + number(result.joint_loss_micro_nats) +
          " micro-nats");
  return checks;
}

}  // namespace ffe::session
