#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>
#include <unistd.h>

#include "base/commit.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "cli/ask.hpp"
#include "cli/command.hpp"
#include "cli/command_tree.hpp"
#include "cli/help.hpp"
#include "cli/text_layout.hpp"
#include "session/chain.hpp"

namespace ffe::cli {
namespace {

// The nearest command or option of the deepest command that was recognised.
std::string suggest(const CLI::App& app, std::string_view unknown) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  const Command known = describe(*command);
  std::vector<std::string> names;
  for (const Command& sub : known.commands) names.push_back(sub.name);
  for (const Argument& a : known.options) names.push_back(a.name);
  for (const Argument& a : describe(app).options) names.push_back(a.name);
  const std::string best = nearest(unknown.substr(0, unknown.find('=')), names);
  return best.empty() ? known.path + " --help" : "did you mean " + best + "?";
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

void add_commands(CLI::App& app, Context& context) {
  using Add = void (*)(CLI::App&, Context&);
  const std::pair<const char*, std::vector<Add>> groups[] = {
      {"See it work", {add_demo}},
      {"Take part", {add_status, add_contribution, add_token, add_proxy}},
      {"Sessions", {add_session, add_report}},
      {"Enclaves and operators", {add_attest, add_bond, add_devnet}},
      {"Models on this machine", {add_train, add_eval, add_run, add_chat, add_model}},
      {"Keys, 0G's services, help",
       {add_keys, add_storage, add_compute, add_doctor, add_completion, add_help}}};
  for (const auto& [title, adders] : groups) {
    const size_t before = app.get_subcommands([](CLI::App*) { return true; }).size();
    for (Add add : adders) add(app, context);
    const auto all = app.get_subcommands([](CLI::App*) { return true; });
    for (size_t i = before; i < all.size(); ++i) all[i]->group(title);
  }
}

std::string version() {
  const std::string commit = build_commit();
  return "ffe " FFE_VERSION + (commit.empty() ? "" : " (" + commit + ")");
}

Error from_filesystem(const std::filesystem::filesystem_error& e) {
  const std::string where = e.path1().empty() ? "" : " " + e.path1().string();
  return Error(
      ErrorCode::kIo, "cannot use" + where + ": " + e.code().message(),
      "check the path and its permissions; ffe help files names the folders that ffe uses");
}

// The exit status of the work; what it threw is told.
int guarded(const std::function<Terminal&()>& terminal, const std::function<void()>& work) {
  auto told = [&](const Error& e) {
    terminal().error(e);
    return exit_status(e.code());
  };
  try {
    work();
    return 0;
  } catch (const PipeClosed&) {
    return exit_status(ErrorCode::kFailed);
  } catch (const evm::RevertError& e) {
    return told(Error(e.code(), e.what(), session::revert_hint(e.name())));
  } catch (const Error& e) {
    return told(e);
  } catch (const std::filesystem::filesystem_error& e) {
    return told(from_filesystem(e));
  } catch (const std::exception& e) {
    return told(Error(ErrorCode::kInternal, e.what()));
  }
}

// Runs the parser; what it prints for --help and --version is a result. False if that was all.
bool parse(CLI::App& app, int argc, char** argv, const std::function<Terminal&()>& terminal) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::Success& e) {
    std::ostringstream text, nothing;
    app.exit(e, text, nothing);
    std::string result = text.str();
    while (result.ends_with('\n')) result.pop_back();
    terminal().result(result);
    return false;
  } catch (const CLI::ParseError& e) {
    throw usage_error(app, e);
  }
}

}  // namespace

void add_output_options(CLI::App& command, Context& context) {
  command.add_flag("--json", context.output.json, "Print the result as JSON");
  command.add_flag("-q,--quiet", context.output.quiet, "No prose, only the result and errors");
  command.add_flag_callback("--no-input", forbid_questions, "Ask nothing, even on a terminal");
}

int run(int argc, char** argv) {
  CLI::App app{"FFE: fine-tuning together, without showing anybody your data", "ffe"};
  Context context;
  app.formatter_fn([](const CLI::App* command, const std::string&, CLI::AppFormatMode) {
    return help_text(describe(*command), output_width(STDOUT_FILENO));
  });
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", version());
  app.add_option("--log-level", context.log_level, "trace, debug, info, warn, error or off");
  app.require_subcommand(1);
  app.fallthrough();
  add_output_options(app, context);
  context.arguments.assign(argv + std::min(argc, 1), argv + argc);
  // A usage error in JSON too: the parser has not seen the flag when it fails.
  context.output.json = std::ranges::count(context.arguments, "--json") != 0;
  std::optional<Terminal> known;
  const std::function<Terminal&()> terminal = [&]() -> Terminal& {
    if (!known) known.emplace(context.output);
    return *known;
  };
  return guarded(terminal, [&] {
    install_interrupt_handler();
    add_commands(app, context);
    if (!parse(app, argc, argv, terminal)) return;
    init_log(context.log_level);
    context.chosen(terminal());
  });
}

}  // namespace ffe::cli
