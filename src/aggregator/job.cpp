#include "aggregator/job.hpp"

#include <algorithm>
#include <cmath>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "crypto/address.hpp"
#include "gate/engine_learner.hpp"
#include "session/artifact.hpp"
#include "session/owner_key.hpp"
#include "session/randomness.hpp"
#include "session/tar.hpp"
#include "storage/merkle.hpp"

namespace ffe::aggregator {
namespace {

constexpr const char* kEngineName = "ffe " FFE_VERSION;

double mean(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

uint32_t loss_micro_nats(double nats) {
  return static_cast<uint32_t>(std::clamp<int64_t>(to_micro_nats(nats), 0, UINT32_MAX));
}

std::string where_trained(const session::Recipe& recipe) {
  return recipe.compute ? ", trained by the 0G Compute provider `" +
                              crypto::checksum_address(recipe.compute->provider) +
                              "`, which saw the rows, on rows of "
                        : ", trained inside an enclave on rows of ";
}

std::string model_card(const session::OpenedSession& s, const session::TrainingReport& report) {
  std::string card = "---\nlibrary_name: peft\ntags: [lora, ffe]\n---\n\n# FFE joint adapter\n\n";
  card += "A LoRA for " + report.base_model.name + where_trained(report.recipe) +
          std::to_string(report.shares.size()) +
          " parties who never saw each other's data.\n\n| | |\n|---|---|\n";
  card += "| session | " + s.id.to_string() + " on chain " +
          std::to_string(report.domain.chain_id) + " |\n";
  card += "| session hash | `" + to_hex0x(s.session_hash.bytes) + "` |\n";
  card += "| gate report | `" + to_hex0x(report.gate_root.bytes) + "` (0G Storage) |\n";
  for (const auto& share : report.shares) {
    card += "| rows of `" + to_hex0x(share.contributor.bytes) + "` | " +
            std::to_string(share.rows) + " |\n";
  }
  card += "| held-out loss, base model | " + std::to_string(report.base_loss_micro_nats / 1e6) +
          " nats |\n| held-out loss, this adapter | " +
          std::to_string(report.joint_loss_micro_nats / 1e6) + " nats |\n";
  card += "| rank, alpha | " + std::to_string(report.recipe.rank) + ", " +
          std::to_string(report.recipe.alpha) + " |\n| numeric path | " + report.numeric_path +
          " |\n\n`report.json` beside this file holds the terms, the recipe and the loss curve.\n";
  return card;
}

}  // namespace

Job::Job(JobContext& context, session::OpenedSession session)
    : context_(context),
      session_(std::move(session)),
      recipe_(session::parse_recipe(session_.recipe_text)),
      secrets_(context.enclave.secrets(session_.session_tag)),
      scope_(to_hex(session_.session_tag.bytes)),
      id_(session_.id.to_string()) {}

void Job::run() {
  check_model();
  check_seal();
  // A result that was signed before a crash is brought as it was signed.
  for (const char* key : {"result", "abort"}) {
    if (auto saved = context_.journal.get(scope_, key)) {
      auto certificate = session::certificate_from_json(parse_json(as_text(*saved), "journal"));
      bring(key, certificate.certificate);
      return;
    }
  }
  if (outside_) outside_->wait();
  Rows rows = Fetcher(context_, session_, submissions_).fetch();
  GateRecord record = gate(rows);
  H256 gate_root = publish(as_bytes(session::to_text(record.report)), "gate.json");
  if (record.aborted) {
    log::info("session {}: {}", id_, record.report.outcome_text);
    bring("abort",
          session::AbortCertificate{seal_hash_, session::AbortReason::kPoolUnfit, gate_root});
    return;
  }
  bring_rejections(record, gate_root);
  bring("result", train(rows, record, gate_root));
}

// The host shows us the chain; what it shows must fit together, and once only.
void Job::check_seal() {
  session::SessionView view = context_.coordinator.view(session_.id);
  submissions_ = context_.coordinator.submissions(session_);
  for (const session::Submission& s : submissions_) {
    if (!std::ranges::count(session_.terms.participants, s.contributor)) {
      throw Error(ErrorCode::kCorrupt, "a contributor is not on the session's list");
    }
  }
  seal_hash_ = session::seal_hash(session_.session_hash, submissions_);
  if (seal_hash_ != view.seal_hash || submissions_.size() < session_.terms.quorum) {
    throw Error(ErrorCode::kCorrupt, "the chain's seal does not match its submissions");
  }
  context_.journal.put(scope_, "seal", seal_hash_.bytes);
  if (session::leaves_enclave(recipe_)) {
    outside_ =
        std::make_unique<ProviderTraining>(context_, recipe_, scope_, id_, view.deliver_deadline);
  }
}

// The host can start this service with any model; another one than the terms' would make another
// artifact under their name. Not aborted: that would spare the operator the bond.
void Job::check_model() const {
  if (session_.manifest_text != context_.model.manifest_text()) {
    throw Error(ErrorCode::kUnsupported,
                "this service holds another base model than the session's terms name",
                "start it with that model before the time to deliver ends");
  }
  context_.model.check_recipe(recipe_);
  check_trainer(recipe_, context_.config, context_.enclave.domain().chain_id);
}

Job::GateRecord Job::gate(const Rows& rows) {
  GateRecord record;
  if (auto saved = context_.journal.get_secret(scope_, "gate")) {
    Json j = parse_json(as_text(saved->view()), "journal");
    record.report = session::parse_gate_report(json_string(j, "report", "journal"));
    record.aborted = j.at("aborted").get<bool>();
    record.rows = j.at("rows").get<std::vector<std::vector<size_t>>>();
    record.evaluation_rows = j.at("evaluation").get<std::vector<size_t>>();
    return record;
  }
  lm::NumericPath path = lm::numeric_from_name(recipe_.numeric_path);
  context_.status.stage(id_, "loading the model");
  auto learner =
      gate::make_learner(context_.model.engine(path), context_.model.tokenizer(),
                         &context_.model.chat(), context_.model.example_options(recipe_));
  gate::GateInputs inputs;
  inputs.policy = session_.terms.gate;
  inputs.max_rows = session_.terms.max_rows;
  inputs.seed = Bytes(secrets_.seed.view().begin(), secrets_.seed.view().end());
  inputs.seal_hash = seal_hash_;
  inputs.engine = kEngineName;
  inputs.numeric_path = recipe_.numeric_path;
  inputs.pool = rows.pool;
  inputs.sample = rows.sample;
  inputs.contributions = rows.contributions;
  gate::GateResult result =
      gate::run_gate(inputs, *learner, [&](std::string_view stage, uint64_t done, uint64_t total) {
        check_interrupt();
        context_.status.stage(id_, "gate: " + std::string(stage), done, total);
      });
  record = {std::move(result.report), result.aborted, std::move(result.rows),
            std::move(result.evaluation_rows)};
  Json j = {{"report", session::to_text(record.report)},
            {"aborted", record.aborted},
            {"rows", record.rows},
            {"evaluation", record.evaluation_rows}};
  std::string text = j.dump();
  context_.journal.put_secret(scope_, "gate", as_bytes(text));
  return record;
}

H256 Job::publish(ByteView bytes, const std::string& key) {
  context_.status.stage(id_, "publishing " + key);
  H256 root = storage::data_root(bytes);
  context_.journal.put(scope_, "root " + key, root.bytes);
  context_.storage.upload(bytes, context_.sender);
  return root;
}

void Job::bring(const std::string& key, const session::Certificate& certificate) {
  session::SignedCertificate signed_certificate = context_.enclave.sign(session_.id, certificate);
  context_.journal.put(scope_, key, as_bytes(session::to_json(signed_certificate).dump()));
  context_.status.stage(id_, "bringing the certificate: " + key);
  try {
    context_.coordinator.bring(context_.sender, signed_certificate);
  } catch (const evm::RevertError& e) {
    // Anyone may bring a certificate: that somebody else was faster is no failure.
    if (e.name() != "AlreadySlashed" && e.name() != "WrongState") throw;
    log::info("session {}: {} was brought already", id_, key);
  }
}

void Job::bring_rejections(const GateRecord& record, const H256& gate_root) {
  for (size_t i = 0; i < record.report.contributors.size(); ++i) {
    const session::GateFinding& finding = record.report.contributors[i];
    if (finding.verdict != session::Verdict::kReject) continue;
    bring("rejection " + to_hex0x(finding.contributor.bytes),
          gate::rejection_certificate(record.report, i, gate_root));
  }
}

session::ResultCertificate Job::base_result(const GateRecord& record, const H256& gate_root) {
  session::ResultCertificate out;
  out.seal_hash = seal_hash_;
  out.gate_root = gate_root;
  out.seed = H256::from(secrets_.seed.view());
  for (const session::GateFinding& f : record.report.contributors) {
    out.verdicts.push_back({f.contributor, f.blob_root, f.verdict, f.reason, f.evidence});
  }
  return out;
}

std::vector<session::Owner> Job::seal_keys(const GateRecord& record, ByteView key) {
  std::vector<session::Owner> out;
  for (size_t i = 0; i < submissions_.size(); ++i) {
    if (record.report.contributors[i].verdict != session::Verdict::kAccept) continue;
    const session::Submission& s = submissions_[i];
    out.push_back({s.contributor, s.owner_key_hash,
                   session::seal_key(key, s.owner_key, session_.session_hash, s.contributor)});
  }
  return out;
}

// After a restart the verdicts come from the journal, and the rows from outside once more.
void Job::check_all_there(const Rows& rows, const GateRecord& record) const {
  if (rows.pool.empty()) throw Pending("the evaluation pool is not available any more");
  for (size_t i = 0; i < rows.contributions.size(); ++i) {
    if (record.report.contributors[i].verdict == session::Verdict::kAccept &&
        rows.contributions[i].delivery != gate::Delivery::kDelivered) {
      throw Pending("the blob of " + to_hex0x(rows.contributions[i].contributor.bytes) +
                    " is not available any more");
    }
  }
}

// Shuffled, so that the provider cannot tell whose rows are whose. Tokens are counted as this
// enclave would read them; how the provider's loss went, it says nowhere in a form to trust.
JointTraining Job::train_outside(const std::vector<const lm::Row*>& rows,
                                 const std::vector<lm::Example>& examples) {
  auto shuffled = [&] {
    std::vector<const lm::Row*> order = rows;
    session::joint_rng(secrets_.seed.view(), seal_hash_).shuffle(order);
    return provider_rows(order);
  };
  JointTraining out;
  out.adapter = outside_->train(shuffled, context_.model.config());
  for (const lm::Example& e : examples) out.tokens += e.tokens.size() * recipe_.epochs;
  out.target_tokens = out.tokens;
  return out;
}

session::ResultCertificate Job::train(const Rows& rows, const GateRecord& record,
                                      const H256& gate_root) {
  session::ResultCertificate result = base_result(record, gate_root);
  auto accepted = std::ranges::count(record.report.contributors, session::Verdict::kAccept,
                                     &session::GateFinding::verdict);
  if (accepted < session_.terms.min_accepted) return result;
  check_all_there(rows, record);

  lm::Engine& engine = context_.model.engine(lm::numeric_from_name(recipe_.numeric_path));
  lm::ExampleOptions options = context_.model.example_options(recipe_);
  auto example = [&](const lm::Row& row) {
    return lm::to_example(row, context_.model.tokenizer(), &context_.model.chat(), options);
  };
  session::TrainingReport report;
  std::vector<lm::Example> examples;
  std::vector<const lm::Row*> accepted_rows;
  for (size_t i = 0; i < rows.contributions.size(); ++i) {
    if (record.report.contributors[i].verdict != session::Verdict::kAccept) continue;
    session::ContributorShare share{rows.contributions[i].contributor, 0, 0};
    for (size_t r : record.rows[i]) {
      accepted_rows.push_back(&rows.contributions[i].rows.at(r));
      examples.push_back(example(*accepted_rows.back()));
      share.rows += 1;
      share.tokens += examples.back().tokens.size();
    }
    report.shares.push_back(share);
  }
  JointTraining joint =
      outside_ ? train_outside(accepted_rows, examples)
               : train_joint(engine, recipe_, examples,
                             session::joint_rng(secrets_.seed.view(), seal_hash_),
                             [&](uint64_t done, uint64_t total, std::span<const int64_t> losses) {
                               check_interrupt();
                               context_.status.stage(id_, "training", done, total);
                               context_.status.losses(id_, losses);
                             });

  context_.status.stage(id_, "evaluating");
  std::vector<lm::Example> held_out;
  for (size_t r : record.evaluation_rows) {
    const lm::Row& row = rows.pool.at(r);
    held_out.push_back(
        lm::with_answer(row, row, context_.model.tokenizer(), &context_.model.chat(), options));
  }
  std::vector<lm::EvalItem> base_items, joint_items;
  for (const lm::Example& e : held_out) {
    base_items.push_back({nullptr, &e});
    joint_items.push_back({&joint.adapter, &e});
  }
  report.base_loss_micro_nats = loss_micro_nats(mean(engine.row_losses(base_items)));
  report.joint_loss_micro_nats = loss_micro_nats(mean(engine.row_losses(joint_items)));

  report.domain = context_.enclave.domain();
  report.session_id = session_.id;
  report.session_hash = session_.session_hash;
  report.seal_hash = seal_hash_;
  report.terms = session_.terms;
  report.recipe = recipe_;
  report.base_model = session::parse_manifest(session_.manifest_text);
  report.gate_root = gate_root;
  report.engine = kEngineName;
  report.numeric_path = std::string(lm::numeric_name(engine.numeric()));
  report.loss_curve = joint.loss_curve;
  report.tokens = joint.tokens;
  report.target_tokens = joint.target_tokens;

  joint.adapter.base_model = report.base_model.name;
  std::map<std::string, Bytes> files = lm::peft_files(joint.adapter, model_card(session_, report));
  std::string report_text = session::to_text(report);
  files["report.json"] = Bytes(report_text.begin(), report_text.end());
  Bytes tar = session::write_tar(files);
  session::ArtifactKey key =
      session::derive_artifact_key(secrets_.artifact_secret.view(), session_.session_hash, tar);
  result.artifact_root = publish(session::seal_artifact(key, tar), "artifact");
  result.report_root = publish(as_bytes(report_text), "report.json");
  result.owners = seal_keys(record, key.key.view());
  result.base_loss_micro_nats = report.base_loss_micro_nats;
  result.joint_loss_micro_nats = report.joint_loss_micro_nats;
  return result;
}

}  // namespace ffe::aggregator
