#include "devnet/demo.hpp"

#include <fmt/format.h>

#include "base/file.hpp"
#include "cli/command.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

// A folder of its own for every run: <cache>/demo/NNN.
fs::path new_demo_dir() {
  fs::path base = cache_dir() / "demo";
  fs::create_directories(base);
  for (int i = 1;; ++i) {
    fs::path dir = base / fmt::format("{:03}", i);
    std::error_code ec;
    if (fs::create_directory(dir, ec)) return dir;
    if (ec) throw Error(ErrorCode::kIo, "cannot create " + dir.string() + ": " + ec.message());
  }
}

void run_demo(devnet::DemoOptions options, Terminal& terminal) {
  if (options.dir.empty()) options.dir = new_demo_dir();
  if (options.model.empty()) options.model = lm::default_model_path();
  devnet::DemoEvents events;
  std::string stage;
  Progress bar;
  events.chapter = [&](std::string_view title) {
    terminal.finish_bar();
    terminal.note("");
    terminal.note(fmt::format("── {}", title));
  };
  events.step = [&](std::string_view verb, std::string_view text) {
    terminal.finish_bar();
    stage.clear();
    terminal.step(verb, text);
  };
  events.progress = [&](std::string_view verb, uint64_t done, uint64_t total,
                        std::string_view unit) {
    if (verb != stage) {
      terminal.finish_bar();
      stage = verb;
      if (!stage.empty()) bar = terminal.bar("", stage, std::string(unit));
    }
    if (!stage.empty()) bar(done, total);
  };
  Json report = devnet::run_demo(options, events);
  if (terminal.json()) {
    terminal.result(report.dump());
    return;
  }
  terminal.result(report["files"]["html"].get<std::string>());
  terminal.hint("open report.html in a browser; the rows, adapters and logs lie beside it");
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "demo",
      "The whole story on this machine: four parties submit, one is slashed, three own "
      "one model");
  auto options = std::make_shared<devnet::DemoOptions>();
  command->add_option("--dir", options->dir,
                      "Where to put everything (default: a new folder in the cache)");
  command->add_option("--model", options->model, "Base model: GGUF file or Hugging Face folder");
  command->add_option("--rows", options->rows_per_party, "Rows of each party")
      ->check(CLI::Range(48, 400));
  command->add_option("--seed", options->seed, "Draws other words");
  command->add_option("--threads", options->threads, "Cores for training (0: all)");
  command->callback([&context, options] {
    context.chosen = [options](Terminal& terminal) { run_demo(*options, terminal); };
  });
}

}  // namespace ffe::cli
