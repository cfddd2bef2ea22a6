// What the gate does to the honest and to attackers: simulated, and on the real model.
//
//   bench_gate simulate [--sessions N]
//   bench_gate real --results FILE [--minutes M] [--kinds a,b] [--sessions N] [--statistic 1|2]
//   bench_gate cost
//   bench_gate tables --results FILE [--harm-tolerance NATS] [--relevance-tolerance NATS]
//                     [--repeat N]
#include <CLI/CLI.hpp>
#include <cmath>
#include <fmt/core.h>

#include "base/error.hpp"
#include "lm/weights.hpp"
#include "real.hpp"
#include "simulate.hpp"
#include "tables.hpp"

namespace {

using namespace ffe;
using namespace ffe::bench;

void add_model_options(CLI::App* app, RealOptions& options, std::string& numeric) {
  app->add_option("--model", options.model, "base model");
  app->add_option("--numeric", numeric, "numeric path, or auto");
  app->add_option("--threads", options.threads, "0: all cores");
  app->add_option("--statistic", options.statistic, "1 or 2")->check(CLI::Range(1, 2));
  app->add_option("--pairs", options.eval_pairs, "evaluation pairs");
  app->add_option("--first-session", options.first_session, "number of the first session");
}

int run(int argc, char** argv) {
  CLI::App app("the quality gate, measured");
  app.require_subcommand(1);
  SimulationOptions simulation;
  RealOptions real;
  real.model = lm::default_model_path();
  std::string numeric = "auto";

  CLI::App* simulated = app.add_subcommand("simulate", "the rule on simulated measurements");
  simulated->add_option("--sessions", simulation.sessions);
  simulated->add_option("--seed", simulation.seed);

  CLI::App* measured = app.add_subcommand("real", "the whole gate on the real model");
  add_model_options(measured, real, numeric);
  measured->add_option("--results", real.results)->required();
  measured->add_option("--kinds", real.kinds, "some of them, or of the dishonest openers")
      ->delimiter(',');
  measured->add_option("--sessions", real.sessions, "contributions of each kind");
  measured->add_option("--group", real.group, "contributions of one gate run")
      ->check(CLI::Range(1, 24));
  measured->add_option("--minutes", real.minutes, "begin no run after so many");

  CLI::App* cost = app.add_subcommand("cost", "time of the gate over an epoch of training");
  add_model_options(cost, real, numeric);
  cost->add_option("--most", real.most, "contributions")->check(CLI::Range(1, 8));

  CLI::App* shown = app.add_subcommand("tables", "results as Markdown");
  shown->add_option("--results", real.results)->required()->check(CLI::ExistingFile);
  Rules rules;
  double harm_tolerance = rules.policy.harm_tolerance_micro * 1e-6;
  double relevance_tolerance = rules.policy.relevance_tolerance_micro * 1e-6;
  shown->add_option("--harm-tolerance", harm_tolerance, "nats")->check(CLI::Range(0.06, 0.499));
  shown->add_option("--relevance-tolerance", relevance_tolerance, "nats")
      ->check(CLI::Range(0.06, 0.499));
  shown->add_option("--repeat", rules.repeat, "as if there were so many times the pairs")
      ->check(CLI::Range(1, 16));

  CLI11_PARSE(app, argc, argv);
  real.numeric = lm::numeric_from_name(numeric);
  if (*simulated) fmt::print("{}", simulate(simulation));
  if (*measured) run_real(real);
  if (*cost) fmt::print("{}", measure_cost(real));
  rules.policy.harm_tolerance_micro = static_cast<uint32_t>(std::lround(harm_tolerance * 1e6));
  rules.policy.relevance_tolerance_micro =
      static_cast<uint32_t>(std::lround(relevance_tolerance * 1e6));
  if (*shown) fmt::print("{}", tables(read_results(real.results), rules));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const ffe::Error& error) {
    fmt::print(stderr, "error: {}\nhint: {}\n", error.what(), error.hint());
    return ffe::exit_status(error.code());
  }
}
