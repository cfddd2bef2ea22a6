// ffe eval: losses of the base model and of adapters on a file of rows.
#include <cmath>
#include <fmt/format.h>

#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/model_options.hpp"
#include "lm/fine_tune.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  ModelOptions model;
  fs::path data;
  std::vector<fs::path> adapters;
};

struct Contestant {
  std::string name;
  std::vector<float> losses;  // by row
  double loss = 0;
};

std::vector<Contestant> measure(const Options& o, LoadedModel& model, const lm::Dataset& data,
                                Terminal& terminal) {
  std::vector<lm::LoraAdapter> adapters;
  for (const fs::path& folder : o.adapters) adapters.push_back(model.adapter(folder));
  const lm::Engine& engine = model.engine(terminal);
  std::vector<lm::EvalItem> items;
  std::vector<Contestant> out = {{"base", {}, 0}};
  for (const lm::Example& e : data.examples) items.push_back({nullptr, &e});
  for (size_t a = 0; a < adapters.size(); ++a) {
    out.push_back({o.adapters[a].string(), {}, 0});
    for (const lm::Example& e : data.examples) items.push_back({&adapters[a], &e});
  }
  const Progress bar = terminal.bar("Evaluating", o.data.filename().string(), "tokens");
  const std::vector<float> losses = engine.row_losses(items, [&](uint64_t done, uint64_t total) {
    check_interrupt();
    bar(done, total);
  });
  terminal.finish_bar();
  const auto rows = static_cast<ptrdiff_t>(data.examples.size());
  for (size_t c = 0; c < out.size(); ++c) {
    const auto begin = losses.begin() + static_cast<ptrdiff_t>(c) * rows;
    out[c].losses.assign(begin, begin + rows);
    out[c].loss = lm::mean_loss(out[c].losses, data.examples);
    if (!std::isfinite(out[c].loss)) {
      throw Error(ErrorCode::kFailed, out[c].name + ": the loss is not finite",
                  "check the model's and the adapter's files: ffe model inspect --check");
    }
  }
  return out;
}

Json to_json(const LoadedModel& model, const lm::Dataset& data,
             const std::vector<Contestant>& contestants) {
  Json models = Json::array();
  for (const Contestant& c : contestants) {
    models.push_back({{"name", c.name}, {"loss", c.loss}, {"perplexity", std::exp(c.loss)}});
  }
  Json rows = Json::array();
  for (size_t i = 0; i < data.examples.size(); ++i) {
    Json losses = Json::array();
    for (const Contestant& c : contestants) losses.push_back(c.losses[i]);
    rows.push_back({{"line", data.lines[i]},
                    {"tokens", data.examples[i].tokens.size()},
                    {"targets", data.examples[i].target_count()},
                    {"truncated", data.truncated[i] == 1},
                    {"losses", losses}});
  }
  return {{"format", "ffe.eval.v1"},
          {"version", FFE_VERSION},
          {"model", model.config().name},
          {"numericPath", lm::numeric_name(model.numeric())},
          {"rows", data.examples.size()},
          {"tokens", data.tokens()},
          {"targets", data.targets()},
          {"truncated", data.truncated_count()},
          {"withoutTarget", data.without_target},
          {"models", models},
          {"rowLosses", rows}};
}

void run_eval(const Options& o, Terminal& terminal) {
  LoadedModel model(o.model);
  const lm::Dataset data = model.dataset(o.data);
  const std::vector<Contestant> contestants = measure(o, model, data, terminal);
  if (terminal.json()) {
    terminal.result(to_json(model, data, contestants).dump());
    return;
  }
  std::string text;
  for (const Contestant& c : contestants) {
    text += fmt::format("{}{:.4f} nats  perplexity {:.2f}  {}", text.empty() ? "" : "\n", c.loss,
                        std::exp(c.loss), c.name);
  }
  terminal.result(text);
}

}  // namespace

void add_eval(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("eval", "Losses of a model, with and without adapters, on a file of rows");
  command->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  auto o = std::make_shared<Options>();
  command->add_option("data", o->data, "JSONL")->required();
  add_model_options(*command, o->model);
  command->add_option("--adapter", o->adapters, "PEFT folder; may be given several times")
      ->take_all();
  command->add_option("--max-tokens", o->model.max_tokens,
                      "Longer rows are cut (default: 2048, or what the model can)");
  command->callback([&context, o] { context.chosen = [o](Terminal& t) { run_eval(*o, t); }; });
}

}  // namespace ffe::cli
