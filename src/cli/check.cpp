// ffe check: everything that can be known about rows before a stake. Nothing leaves the machine.
#include <cmath>
#include <fmt/format.h>
#include <fstream>

#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/model_options.hpp"
#include "gate/engine_learner.hpp"
#include "gate/evidence.hpp"
#include "gate/lint.hpp"
#include "gate/preview.hpp"
#include "lm/model_store.hpp"
#include "session/blob.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxSample = 64 << 20;

struct Options {
  ModelOptions model;
  std::string network = user_config().network;
  std::string session;
  fs::path file;
  fs::path sample;
  bool gate = false;
};

struct Rows {
  std::vector<lm::Row> rows;
  std::vector<size_t> lines;
};

Rows read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  lm::RowReader reader(in, file.string());
  Rows out;
  lm::Row row;
  while (reader.next(row)) {
    out.rows.push_back(row);
    out.lines.push_back(reader.line());
  }
  return out;
}

// What of the session's terms the checks need.
struct Terms {
  session::GatePolicy gate;
  session::Recipe recipe;
  uint32_t contributors = 2;
  std::optional<session::SessionTerms> session;
  std::string stake;  // for people
  std::vector<lm::Row> sample;
};

Terms read_terms(const Options& o, Terminal& terminal) {
  Terms out;
  if (!o.sample.empty()) out.sample = lm::read_rows_file(o.sample);
  if (o.session.empty()) return out;
  client::Client client = open_reader(o.network);
  const session::OpenedSession opened = client.coordinator().opened(evm::U256::parse(o.session));
  out.gate = opened.terms.gate;
  out.recipe = session::parse_recipe(opened.recipe_text);
  out.contributors = static_cast<uint32_t>(opened.terms.participants.size());
  out.session = opened.terms;
  out.stake = evm::currency_of(client.rpc(), opened.terms.stake_token).text(opened.terms.stake);
  if (o.gate && o.sample.empty()) {
    const Bytes bytes = client.storage().download(opened.terms.sample_root, kMaxSample);
    out.sample = lm::read_rows(bytes, "the session's public sample");
    terminal.step("Sample",
                  fmt::format("{} rows of the session's public sample", out.sample.size()));
  }
  return out;
}

ModelOptions model_options(const Options& o, const Terms& terms) {
  ModelOptions out = o.model;
  if (terms.session && out.max_tokens == 0) out.max_tokens = terms.recipe.sequence_length;
  if (terms.session) out.system_prompt = terms.recipe.system_prompt;
  return out;
}

// --- form and meaning ---------------------------------------------------------------------------

Json show_lint(const gate::Lint& lint, Terminal& terminal) {
  Json traces = Json::array();
  for (const gate::TraceCount& t : lint.traces) {
    terminal.warn(fmt::format("{} in {} row{}, first in line {}: take it out if it is a real one",
                              gate::name(t.trace), t.rows, t.rows == 1 ? "" : "s", t.first_line));
    traces.push_back(
        {{"kind", gate::name(t.trace)}, {"rows", t.rows}, {"firstLine", t.first_line}});
  }
  const std::pair<uint64_t, const char*> dropped[] = {
      {lint.near_copies, "that copy earlier rows or nearly so"},
      {lint.empty, "without an answer"},
      {lint.echo, "whose answer repeats the question"},
      {lint.repeated, "with one answer to unlike questions"}};
  for (const auto& [rows, what] : dropped) {
    if (rows > 0) terminal.step("Dropped", fmt::format("by the gate: {} {}", rows, what));
  }
  return {{"personal", traces},  {"nearCopies", lint.near_copies},   {"emptyAnswers", lint.empty},
          {"echoes", lint.echo}, {"repeatedAnswers", lint.repeated}, {"usable", lint.usable}};
}

Json count_tokens(const Rows& rows, const LoadedModel& model, Terminal& terminal) {
  const lm::ExampleOptions options = model.example_options();
  uint64_t tokens = 0, targets = 0, longest = 0, truncated = 0, lost = 0;
  for (const lm::Row& row : rows.rows) {
    check_interrupt();
    bool cut = false;
    const lm::ChatTemplate* chat = row.kind == lm::Row::Kind::kChat ? &model.chat() : nullptr;
    const lm::Example e = lm::to_example(row, model.tokenizer(), chat, options, &cut);
    tokens += e.tokens.size();
    targets += e.target_count();
    longest = std::max<uint64_t>(longest, e.tokens.size());
    truncated += cut;
    lost += e.target_count() == 0;
  }
  terminal.step("Tokens",
                fmt::format("{}, {} of them in answers; the longest row has {}",
                            format_count(tokens), format_count(targets), format_count(longest)));
  if (truncated > 0) {
    terminal.warn(fmt::format("{} rows are longer than {} tokens and are cut; {} lose their answer",
                              truncated, options.max_tokens, lost));
  }
  return {{"all", tokens},          {"answers", targets},
          {"longest", longest},     {"limit", options.max_tokens},
          {"truncated", truncated}, {"withoutAnswer", lost}};
}

Json show_cost(const Terms& terms, uint64_t usable, uint64_t bytes, Terminal& terminal) {
  const session::SessionTerms& t = *terms.session;
  terminal.step("Cost", fmt::format("stake of {}, and storage of {} with gas: ffe submit --dry-run",
                                    terms.stake, format_bytes(session::blob_size(bytes))));
  if (usable < t.gate.min_rows) {
    terminal.warn(fmt::format("{} usable rows; this session asks for {}: it would exclude you",
                              usable, t.gate.min_rows));
  }
  return {{"stakeWei", t.stake.to_string()},
          {"minRows", t.gate.min_rows},
          {"maxRows", t.max_rows},
          {"enoughRows", usable >= t.gate.min_rows}};
}

// --- the gate, on the public sample -------------------------------------------------------------

std::string forecast(const gate::Preview& p) {
  if (p.projected.evidence >= p.threshold) return "reject";
  return p.projected.suspicion >= gate::kSuspicion ? "exclude" : "accept";
}

double nats(const std::vector<int64_t>& values) {
  return static_cast<double>(gate::mean_micro(values)) / 1e6;
}

Json run_gate(const Rows& rows, const Terms& terms, LoadedModel& model, Terminal& terminal) {
  if (terms.sample.empty()) {
    throw Error(ErrorCode::kUsage, "--gate needs rows to judge by",
                "name a session (--session N) or a file (--sample FILE)");
  }
  const lm::Engine& engine = model.engine(terminal);
  auto learner =
      gate::make_learner(engine, model.tokenizer(), &model.chat(), model.example_options());
  std::string stage;
  Progress bar;
  const gate::StageProgress progress = [&](std::string_view now, uint64_t done, uint64_t total) {
    check_interrupt();
    if (now != stage) {
      terminal.finish_bar();
      stage = now;
      bar = terminal.bar("Gate", stage, "");
    }
    bar(done, total);
  };
  const Bytes seed(32, 1);  // the session's own seed is unknown to everybody before its end
  const gate::Preview p = gate::preview(rows.rows, terms.sample, terms.gate, terms.contributors,
                                        seed, *learner, progress);
  terminal.finish_bar();
  const double harm = nats(p.run.harm), lost = nats(p.run.relevance_lost);
  const double allowed_harm = terms.gate.harm_tolerance_micro / 1e6;
  const double allowed_lost = terms.gate.relevance_tolerance_micro / 1e6;
  terminal.step("Measured", fmt::format("held-out loss {:+.3f} nats (tolerance {:.3f}), relevance "
                                        "lost {:+.3f} nats (tolerance {:.3f}), on {} pairs",
                                        harm, allowed_harm, lost, allowed_lost, p.run.harm.size()));
  const std::string verdict = forecast(p);
  terminal.step(
      "Forecast",
      fmt::format("{}: {} pairs like these would give evidence {}, {} rejects; suspicion {}, {} "
                  "excludes",
                  verdict, terms.gate.eval_pairs, session::to_decimal(p.projected.evidence),
                  session::to_decimal(p.threshold), session::to_decimal(p.projected.suspicion),
                  session::to_decimal(gate::kSuspicion)));
  if (p.run.harm.size() < 32) {
    terminal.warn("with so few pairs this is a rough guess: the session's own pool decides");
  }
  return {{"pairs", p.run.harm.size()},
          {"harmNats", harm},
          {"relevanceLostNats", lost},
          {"projectedEvidence", session::to_decimal(p.projected.evidence)},
          {"projectedSuspicion", session::to_decimal(p.projected.suspicion)},
          {"rejectsFrom", session::to_decimal(p.threshold)},
          {"forecast", verdict}};
}

void check(const Options& o, Terminal& terminal) {
  const client::DataCheck data = client::check_data(o.file);
  terminal.step("Checked", fmt::format("{}  {} rows · {} repeated · {}", o.file.filename().string(),
                                       format_count(data.rows), format_count(data.duplicates),
                                       format_bytes(data.bytes)));
  const Terms terms = read_terms(o, terminal);
  const std::string who_sees = session::who_sees_rows(terms.recipe);
  if (!who_sees.empty()) terminal.warn(who_sees);
  const Rows rows = read(o.file);
  const gate::Lint lint = gate::lint(rows.rows, rows.lines);
  Json out = {{"rows", data.rows}, {"bytes", data.bytes}, {"duplicates", data.duplicates}};
  if (terms.session) out["whoSeesRows"] = who_sees;
  out.update(show_lint(lint, terminal));
  if (terms.session) out["cost"] = show_cost(terms, lint.usable, data.bytes, terminal);
  const bool model_known = !o.model.model.empty() || !lm::default_model_path().empty();
  if (model_known || o.gate) {
    LoadedModel model(model_options(o, terms));
    out["tokens"] = count_tokens(rows, model, terminal);
    if (o.gate) out["gate"] = run_gate(rows, terms, model, terminal);
  } else {
    terminal.hint("tokens are counted where a base model is present: ffe model pull");
  }
  terminal.result(terminal.json() ? out.dump() : std::to_string(data.rows));
  if (o.gate && out["gate"]["forecast"] == "reject") {
    throw Error(ErrorCode::kGate, "these rows would probably be rejected, and the stake slashed",
                "look for answers that do not belong to their questions");
  }
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "check", "Look through rows before submitting them: form, personal data, copies, tokens");
  command->add_option("data", o->file, "File of rows, JSONL")->required();
  command->add_option("--session", o->session, "Check against the terms of this session");
  command->add_flag("--gate", o->gate, "Run the session's gate on its public sample (minutes)");
  command->add_option("--sample", o->sample,
                      "A file of rows to judge by, instead of the session's");
  command->add_option("--network", o->network, "Network name or file (default: devnet)");
  add_model_options(*command, o->model);
  command->footer("ffe check rows.jsonl\nffe check rows.jsonl --session 17 --gate");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { check(*o, t); }; });
}

}  // namespace ffe::cli
