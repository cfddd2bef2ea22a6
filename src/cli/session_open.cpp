// The opener's commands: session new, check, open.
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "cli/model_options.hpp"
#include "cli/step_view.hpp"
#include "cli/terms_file.hpp"
#include "lm/model_store.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  AccountOptions account;
  fs::path terms = "TERMS.toml";
  ModelOptions model;
};

void create(const Options& options, Terminal& terminal) {
  if (fs::exists(options.terms)) {
    throw Error(ErrorCode::kUsage, options.terms.string() + " exists already", "name another file");
  }
  write_file_atomic(options.terms, as_bytes(terms_template()));
  terminal.step("Written", options.terms.string());
  terminal.hint("fill in pool, sample and participants, then: ffe session check " +
                options.terms.string());
  terminal.result(terminal.json() ? Json{{"file", options.terms.string()}}.dump()
                                  : options.terms.string());
}

Json show_advice(const client::OpenRequest& request, Terminal& terminal) {
  const TermsAdvice advice = advise(request);
  terminal.step("Checked", fmt::format("{} pairs in the pool, {} needed", advice.pool_pairs,
                                       advice.needed_pairs));
  terminal.step("Power",
                fmt::format("with {} pairs, half shuffled answers are rejected in {:.0f} "
                            "%, rejected or excluded in {:.0f} % (simulated)",
                            request.gate.eval_pairs, 100 * advice.shuffled, 100 * advice.kept_out));
  for (const std::string& warning : advice.warnings) terminal.warn(warning);
  return {{"poolPairs", advice.pool_pairs},
          {"neededPairs", advice.needed_pairs},
          {"halfShuffledRejected", advice.shuffled},
          {"halfShuffledKeptOut", advice.kept_out},
          {"warnings", advice.warnings}};
}

// The recipe against the model: positions, rank, and how much of the pool's rows is cut.
Json check_model(const client::OpenRequest& request, const ModelOptions& options,
                 Terminal& terminal) {
  ModelOptions as_recipe = options;
  as_recipe.max_tokens = request.recipe.sequence_length;
  as_recipe.system_prompt = request.recipe.system_prompt;
  const LoadedModel model(as_recipe);
  const size_t positions = model.config().max_position;
  if (request.recipe.sequence_length > positions) {
    throw Error(ErrorCode::kUsage,
                fmt::format("recipe.sequence_length {} is more than the {} positions of {}",
                            request.recipe.sequence_length, positions, model.config().name),
                "lower it");
  }
  if (request.recipe.rank > model.config().hidden) {
    throw Error(ErrorCode::kUsage,
                fmt::format("recipe.rank {} is more than the width {} of {}", request.recipe.rank,
                            model.config().hidden, model.config().name),
                "8 or 16 is usual");
  }
  const lm::Dataset pool = model.dataset(request.pool);
  terminal.step("Model", fmt::format("{}  {} of {} rows of the pool are cut at {} tokens",
                                     model.config().name, pool.truncated_count(),
                                     pool.examples.size(), request.recipe.sequence_length));
  if (pool.truncated_count() * 20 > pool.examples.size()) {
    terminal.warn("more than a twentieth of the pool is cut: raise recipe.sequence_length");
  }
  return {{"name", model.config().name},
          {"rows", pool.examples.size()},
          {"truncated", pool.truncated_count()}};
}

void check(const Options& options, Terminal& terminal) {
  const client::OpenRequest request = read_terms_file(options.terms);
  client::check_data(request.sample);
  Json advice = show_advice(request, terminal);
  if (!options.model.model.empty() || !lm::default_model_path().empty()) {
    advice["model"] = check_model(request, options.model, terminal);
  }
  terminal.result(terminal.json() ? advice.dump() : "ok");
}

void open(const Options& options, Terminal& terminal) {
  client::OpenRequest request = read_terms_file(options.terms);
  show_advice(request, terminal);
  client::Client client = open_client(options.account);
  if (request.enclave_url.empty()) {
    if (client.network().enclave_urls.empty()) {
      throw Error(ErrorCode::kUsage, "the network names no enclave",
                  "set session.enclave in " + options.terms.string());
    }
    request.enclave_url = client.network().enclave_urls.front();
  }
  const evm::Currency currency = evm::currency_of(client.rpc(), request.stake_token);
  scale_stake(request, currency);
  terminal.step("Paying",
                fmt::format("{} 0G as fee; each contributor stakes {}",
                            evm::format_ether(request.fee), currency.text(request.stake)));
  StepView view(terminal);
  const client::OpenResult r = client.open_session(request, view.events());
  terminal.step("Opened", "session " + r.session_id.to_string());
  terminal.hint("ffe session watch " + r.session_id.to_string());
  terminal.result(terminal.json() ? Json{{"sessionId", r.session_id.to_string()},
                                         {"sessionHash", to_hex0x(r.session_hash.bytes)},
                                         {"txHash", to_hex0x(r.tx_hash.bytes)}}
                                        .dump()
                                  : r.session_id.to_string());
}

}  // namespace

void add_session_open(CLI::App& session, Context& context) {
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*run)(const Options&, Terminal&)) {
    auto* command = session.add_subcommand(name, text);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  add("new", "Write a commented TERMS.toml", create)
      ->add_option("file", options->terms, "Default: TERMS.toml");
  auto* check_command =
      add("check", "Check terms, pool and recipe, and what the gate can see with them", check);
  check_command->add_option("terms", options->terms, "Default: TERMS.toml");
  add_model_options(*check_command, options->model);
  auto* open_command = add("open", "Open a session with these terms", open);
  open_command->add_option("terms", options->terms, "Default: TERMS.toml");
  add_account_options(*open_command, options->account);
  add_session_watch(session, context);
}

}  // namespace ffe::cli
