// The commands of `ffe`. Each file adds its own to the program and runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace ffe::cli {

// What every command has: the options of all, and a terminal once they are known.
struct Context {
  OutputOptions output;
  std::string log_level = "warn";
  std::vector<std::string> arguments;     // as they were typed, after the program's name
  std::function<void(Terminal&)> chosen;  // set by the command that was named
};

// Global options that may stand before or after the command's name.
void add_output_options(CLI::App& command, Context& context);

void add_demo(CLI::App& app, Context& context);
void add_storage(CLI::App& app, Context& context);
void add_keys(CLI::App& app, Context& context);
void add_session(CLI::App& app, Context& context);
void add_session_open(CLI::App& session, Context& context);  // new, check, open
void add_session_watch(CLI::App& session, Context& context);
void add_report(CLI::App& app, Context& context);
void add_contribution(CLI::App& app, Context& context);  // check, submit, withdraw, download, claim
void add_status(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_submit(CLI::App& app, Context& context);
void add_token(CLI::App& app, Context& context);  // authorize, transfer
void add_attest(CLI::App& app, Context& context);
void add_bond(CLI::App& app, Context& context);
void add_compute(CLI::App& app, Context& context);  // providers, fund, status, task, serve
void add_devnet(CLI::App& app, Context& context);   // devnet, deploy
void add_doctor(CLI::App& app, Context& context);
void add_train(CLI::App& app, Context& context);
void add_eval(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_chat(CLI::App& app, Context& context);
void add_proxy(CLI::App& app, Context& context);
void add_model(CLI::App& app, Context& context);  // model pull, list, inspect
void add_completion(CLI::App& app, Context& context);
void add_help(CLI::App& app, Context& context);

// Parses, runs, prints; the process's exit status.
int run(int argc, char** argv);

}  // namespace ffe::cli
