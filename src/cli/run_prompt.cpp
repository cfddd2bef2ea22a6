// ffe run: one answer, for scripts.
#include <chrono>
#include <fmt/format.h>
#include <unistd.h>

#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/generation.hpp"
#include "cli/standard_input.hpp"

namespace ffe::cli {
namespace {

struct Options {
  GenerationOptions generation;
  std::string prompt = "-";
  bool raw = false;
};

std::string read_prompt(const Options& o) {
  std::string text = o.prompt;
  if (text == "-") {
    if (isatty(STDIN_FILENO) == 1) {
      throw Error(ErrorCode::kUsage, "no prompt", "ffe run \"…\", or pipe it into stdin");
    }
    text = read_all_stdin();
    // The line feed that ends a file is not part of the question.
    if (!o.raw && text.ends_with('\n')) text.pop_back();
  }
  if (text.empty()) throw Error(ErrorCode::kBadInput, "the prompt is empty");
  return text;
}

void run_once(const Options& o, Terminal& terminal) {
  const std::string prompt = read_prompt(o);
  Responder responder(o.generation, terminal);
  const auto start = std::chrono::steady_clock::now();
  const lm::OnText show = [&](std::string_view text) {
    check_interrupt();
    if (!terminal.json()) write_stdout(text);
    return true;
  };
  const lm::Answer answer =
      o.raw ? responder.complete(prompt, show) : responder.answer({{"user", prompt}}, show);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!terminal.json()) {
    write_stdout("\n");
    return;
  }
  Json out = {{"format", "ffe.answer.v1"},
              {"text", answer.text},
              {"end", lm::answer_end_name(answer.end)},
              {"promptTokens", answer.prompt_tokens},
              {"tokens", answer.tokens},
              {"seconds", seconds.count()},
              {"seed", responder.seed()},
              {"model", responder.model().config().name},
              {"numericPath", lm::numeric_name(responder.model().numeric())}};
  if (!o.generation.adapter.empty()) out["adapter"] = o.generation.adapter.string();
  if (answer.end == lm::AnswerEnd::kStopString) out["stopString"] = answer.stop_string;
  terminal.result(out.dump());
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("run", "One answer of a model, for scripts");
  auto o = std::make_shared<Options>();
  command->add_option("prompt", o->prompt, "The question (default, or -: from stdin)");
  add_generation_options(*command, o->generation);
  command->add_flag("--raw", o->raw, "Continue the text itself, without a chat template");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { run_once(*o, t); }; });
}

}  // namespace ffe::cli
