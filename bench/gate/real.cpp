#include "real.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <fmt/core.h>
#include <map>

#include "base/error.hpp"
#include "contributions.hpp"
#include "crypto/hash.hpp"
#include "gate/engine_learner.hpp"
#include "gate/gate.hpp"
#include "lm/engine.hpp"
#include "lm/trainer.hpp"
#include "results.hpp"
#include "verdict.hpp"

namespace ffe::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Not disturbed by what else runs on the machine.
double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

struct Model {
  explicit Model(const RealOptions& o)
      : file(lm::ModelFile::open(o.model)),
        tokenizer(lm::Tokenizer::from(file)),
        chat(lm::ChatTemplate::from(file, tokenizer)),
        engine(file, {.numeric = o.numeric, .threads = o.threads}) {}

  lm::ModelFile file;
  lm::Tokenizer tokenizer;
  lm::ChatTemplate chat;
  lm::Engine engine;
  lm::ExampleOptions example{.max_tokens = 256};
};

const std::map<Opener, std::string> kDishonest = {{Opener::kAllWrong, "all-wrong"},
                                                  {Opener::kHalfWrong, "half-wrong"},
                                                  {Opener::kSwapped, "swapped"}};

struct Run {
  uint64_t session;
  Opener opener;
  std::vector<std::string> kinds;
};

gate::GateInputs inputs_of(const RealOptions& o, const Run& run) {
  SessionData data = make_session(run.session, run.kinds, run.opener, o.eval_pairs);
  gate::GateInputs in;
  in.policy.statistic = static_cast<uint8_t>(o.statistic);
  in.policy.eval_pairs = o.eval_pairs;
  in.policy.min_rows = 16;
  // The strictest that tables are asked about: from here all seeds of a suspect are known.
  in.policy.harm_tolerance_micro = in.policy.relevance_tolerance_micro = 60'000;
  in.max_rows = 1000;
  const H256 seed = crypto::sha256(as_bytes("session " + std::to_string(run.session)));
  in.seed.assign(seed.bytes.begin(), seed.bytes.end());
  in.engine = "ffe";
  in.numeric_path = std::string(lm::numeric_name(o.numeric));
  in.pool = std::move(data.pool);
  in.sample = std::move(data.sample);
  for (size_t i = 0; i < run.kinds.size(); ++i) {
    gate::Contribution c;
    // The same rows are drawn whoever stands beside them.
    const H256 who = crypto::sha256(as_bytes(run.kinds[i]));
    std::copy_n(who.bytes.begin(), c.contributor.size(), c.contributor.bytes.begin());
    c.blob_root = who;
    c.rows = std::move(data.contributions[i]);
    c.row_count = c.rows.size();
    in.contributions.push_back(std::move(c));
  }
  return in;
}

void mean_and_sd(const std::vector<int64_t>& micro, double& mean, double& sd) {
  const auto n = static_cast<double>(micro.size());
  double sum = 0, squares = 0;
  for (const int64_t v : micro) sum += static_cast<double>(v) * 1e-6;
  mean = micro.empty() ? 0 : sum / n;
  for (const int64_t v : micro) {
    const double d = static_cast<double>(v) * 1e-6 - mean;
    squares += d * d;
  }
  sd = micro.size() < 2 ? 0 : std::sqrt(squares / (n - 1));
}

std::vector<Result> results_of(const RealOptions& o, const Run& run, const gate::GateInputs& in,
                               const gate::GateResult& result) {
  std::vector<Result> out;
  for (size_t i = 0; i < run.kinds.size(); ++i) {
    const session::GateFinding& f = result.report.contributors[i];
    Result r;
    r.session = run.session;
    r.kind = run.kinds[i];
    r.opener = run.opener == Opener::kHonest ? "honest" : kDishonest.at(run.opener);
    r.statistic = o.statistic;
    r.numeric = in.numeric_path;
    r.outcome = result.report.outcome;
    r.verdict = session::name(f.verdict);
    r.reason = session::name(f.reason);
    if (!f.runs.empty()) {
      mean_and_sd(f.runs[0].harm, r.harm, r.harm_sd);
      mean_and_sd(f.runs[0].relevance_lost, r.lost, r.lost_sd);
    }
    r.rows = f.counts.rows;
    r.kept = f.counts.kept;
    r.unlikely = f.counts.unlikely;
    r.sealed = static_cast<uint32_t>(run.kinds.size());
    for (const session::GateRun& v : f.runs) r.runs.push_back({v.harm, v.relevance_lost});
    r.log_evidence = smallest_evidence(r, in.policy).natural_log();
    out.push_back(std::move(r));
  }
  return out;
}

// "copies" copies the contribution before it: the group it is in begins with one.
std::vector<Run> plan(const RealOptions& o) {
  std::vector<std::string> names = o.kinds;
  if (names.empty()) {
    for (const Kind& k : kinds()) names.push_back(k.name);
    for (const auto& [opener, name] : kDishonest) names.push_back(name);
  }
  const std::vector<Result> done = read_results(o.results);
  const auto is_done = [&](uint64_t session, const std::string& opener, const std::string& kind) {
    return std::ranges::any_of(done, [&](const Result& r) {
      return r.session == session && r.kind == kind && r.opener == opener &&
             r.statistic == o.statistic;
    });
  };
  const auto named = [&](const std::string& name) { return std::ranges::count(names, name) != 0; };
  for (const std::string& name : names) {
    const bool opener =
        std::ranges::any_of(kDishonest, [&](const auto& d) { return d.second == name; });
    if (!opener) kind(name);  // or throws
  }
  std::vector<Run> out;
  for (uint64_t s = o.first_session; s < o.first_session + o.sessions; ++s) {
    std::vector<std::string> left;
    for (const Kind& k : kinds()) {
      if (k.name == "copies" || !named(k.name) || is_done(s, "honest", k.name)) continue;
      left.push_back(k.name);
    }
    for (size_t i = 0; i < left.size(); i += o.group) {
      const size_t end = std::min(left.size(), i + o.group);
      out.push_back({s,
                     Opener::kHonest,
                     {left.begin() + static_cast<std::ptrdiff_t>(i),
                      left.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
    if (named("copies") && !is_done(s, "honest", "copies")) {
      out.push_back({s, Opener::kHonest, {"act", "copies"}});
    }
    for (const auto& [opener, name] : kDishonest) {
      if (!named(name) || is_done(s, name, "animal")) continue;
      out.push_back({s, opener, {"animal", "plant", "act"}});
    }
  }
  return out;
}

}  // namespace

void run_real(const RealOptions& o) {
  const std::vector<Run> runs = plan(o);
  fmt::print(stderr, "{} gate runs to do\n", runs.size());
  if (runs.empty()) return;
  const Model model(o);
  const auto start = Clock::now();
  for (const Run& run : runs) {
    if (o.minutes > 0 && seconds_since(start) > 60 * o.minutes) {
      fmt::print(stderr, "time is over; the same command goes on from here\n");
      return;
    }
    const auto begin = Clock::now();
    const gate::GateInputs in = inputs_of(o, run);
    auto learner = gate::make_learner(model.engine, model.tokenizer, &model.chat, model.example);
    const std::vector<Result> results = results_of(o, run, in, gate::run_gate(in, *learner));
    append_results(o.results, results);
    for (const Result& r : results) {
      fmt::print(stderr,
                 "session {} {:<16} {:<8} {:<15} z1 {:+.3f} z2 {:+.3f} ln E {:6.1f} kept {}/{}\n",
                 r.session, r.kind, r.outcome == "fit" ? r.verdict : r.outcome, r.reason, r.harm,
                 r.lost, r.log_evidence, r.kept, r.rows);
    }
    fmt::print(stderr, "  {:.0f} s\n", seconds_since(begin));
  }
}

std::string measure_cost(const RealOptions& o) {
  const Model model(o);
  const auto gate_seconds = [&](const std::vector<std::string>& names) {
    const gate::GateInputs in = inputs_of(o, {o.first_session, Opener::kHonest, names});
    auto learner = gate::make_learner(model.engine, model.tokenizer, &model.chat, model.example);
    const double start = processor_seconds();
    gate::run_gate(in, *learner);
    return processor_seconds() - start;
  };
  std::string out =
      "| contributions | gate, shared | one after the other | epoch of the union | gate / epoch |\n"
      "|---|---|---|---|---|\n";
  const std::vector<std::string> all = {"animal",   "plant", "food",     "act",
                                        "artifact", "body",  "location", "person"};
  double alone = 0;
  for (size_t n = 1; n <= std::min(all.size(), o.most); ++n) {
    alone += gate_seconds({all[n - 1]});
    if ((n & (n - 1)) != 0) continue;
    const std::vector<std::string> names(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n));
    const double shared = n == 1 ? alone : gate_seconds(names);

    std::vector<lm::Example> rows;
    for (const auto& contribution :
         make_session(o.first_session, names, Opener::kHonest, o.eval_pairs).contributions) {
      for (const lm::Row& row : contribution) {
        rows.push_back(lm::to_example(row, model.tokenizer, &model.chat, model.example));
      }
    }
    lm::MultiTrainer trainer(model.engine);
    lm::OptimizerConfig optimizer;
    optimizer.schedule = lm::Schedule::kConstant;
    trainer.add(lm::make_adapter(model.engine.config(), {}, {}), optimizer);
    const double start = processor_seconds();
    for (size_t i = 0; i < rows.size(); i += 32) {
      std::vector<lm::TrainItem> items;
      for (size_t j = i; j < std::min(rows.size(), i + 32); ++j) items.push_back({0, &rows[j]});
      trainer.step(items);
    }
    const double epoch = processor_seconds() - start;
    out += fmt::format("| {} | {:.1f} s | {:.1f} s | {:.1f} s | {:.1f} |\n", n, shared, alone,
                       epoch, shared / epoch);
  }
  return out;
}

}  // namespace ffe::bench
