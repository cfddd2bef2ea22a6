#include <algorithm>
#include <fmt/format.h>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "cli/command.hpp"

namespace ffe::cli {
namespace {

constexpr const char* kExitCodes =
    "0 done, 1 failed, 2 usage, 3 attestation refused, 4 key or authorisation,\n"
    "5 session state, 6 network or chain, 7 gate rejected, 130 interrupted";

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// "did you mean …": the nearest command or option of the deepest command that was recognised.
std::string suggest(const CLI::App& app, std::string_view unknown) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::string best;
  size_t distance = std::max<size_t>(2, unknown.size() / 3) + 1;
  auto consider = [&](const std::string& name) {
    size_t d = edit_distance(unknown, name);
    if (d < distance) {
      distance = d;
      best = name;
    }
  };
  for (const CLI::App* sub : command->get_subcommands([](const CLI::App*) { return true; })) {
    consider(sub->get_name());
  }
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) consider("--" + name);
  }
  return best.empty() ? "ffe --help" : "did you mean " + best + "?";
}

Error usage_error(const CLI::App& app, const CLI::ParseError& e) {
  std::string message = e.what();
  size_t begin = message.find_first_not_of(' ');
  message = message.substr(begin == std::string::npos ? 0 : begin);
  std::string hint = "ffe --help";
  // A mistyped name is also the reason why the right one is missing.
  std::vector<std::string> extras = app.remaining(true);
  if (!extras.empty()) {
    message = "unknown argument " + extras.front();
    hint = suggest(app, extras.front());
  }
  return Error(ErrorCode::kUsage, message, hint);
}

}  // namespace

void add_output_options(CLI::App& command, Context& context) {
  command.add_flag("--json", context.output.json, "Print the result as JSON");
  command.add_flag("-q,--quiet", context.output.quiet, "No prose, only the result and errors");
}

int run(int argc, char** argv) {
  CLI::App app{"FFE: fine-tuning together, without showing anybody your data", "ffe"};
  Context context;
  app.set_version_flag("--version", "ffe " FFE_VERSION);
  app.add_option("--log-level", context.log_level, "trace, debug, info, warn, error or off");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(std::string("Exit codes: ") + kExitCodes);
  add_output_options(app, context);
  add_demo(app, context);
  add_contribution(app, context);
  add_session(app, context);
  add_report(app, context);
  add_attest(app, context);
  add_keys(app, context);
  add_storage(app, context);
  add_bond(app, context);
  add_compute(app, context);
  add_devnet(app, context);
  add_doctor(app, context);
  add_train(app, context);
  add_eval(app, context);
  add_run(app, context);
  add_chat(app, context);
  add_model(app, context);
  context.arguments.assign(argv + std::min(argc, 1), argv + argc);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    Terminal(context.output).error(usage_error(app, e));
    return exit_status(ErrorCode::kUsage);
  }
  Terminal terminal(context.output);
  try {
    init_log(context.log_level);
    install_interrupt_handler();
    context.chosen(terminal);
    return 0;
  } catch (const Error& e) {
    terminal.error(e);
    return exit_status(e.code());
  } catch (const std::exception& e) {
    terminal.error(Error(ErrorCode::kInternal, e.what()));
    return 1;
  }
}

}  // namespace ffe::cli
