#include "cli/train_report.hpp"

#include <cmath>
#include <fmt/format.h>

#include "cli/loss_curve.hpp"
#include "cli/terminal.hpp"

namespace ffe::cli {
namespace {

Json loss_curve(const lm::FineTune& tuning) {
  Json out = Json::array();
  for (const lm::StepResult& r : tuning.history()) {
    out.push_back({{"step", r.step + 1},
                   {"epoch", tuning.epoch_of(r.step) + 1},
                   {"loss", r.loss},
                   {"gradientNorm", r.gradient_norm},
                   {"learningRate", r.learning_rate},
                   {"tokens", r.tokens},
                   {"targets", r.targets}});
  }
  return out;
}

std::string yaml_text(const Json& text) {
  return text.dump();  // a JSON string is a YAML string
}

std::string joined(const Json& list) {
  std::string out;
  for (const Json& v : list) out += (out.empty() ? "" : ", ") + v.get<std::string>();
  return out;
}

std::string data_section(const Json& report) {
  const Json& data = report["data"];
  std::string out = fmt::format(
      "## Data\n\n{} rows ({} tokens, of which {} in the loss), {} truncated, {} left out because "
      "no answer fits.\n",
      data["rows"].get<uint64_t>(), data["tokens"].get<uint64_t>(), data["targets"].get<uint64_t>(),
      data["truncated"].get<uint64_t>(), data["withoutTarget"].get<uint64_t>());
  if (report.contains("heldOut")) {
    out += fmt::format("Held out: {} rows ({} tokens in the loss).\n",
                       report["heldOut"]["rows"].get<uint64_t>(),
                       report["heldOut"]["targets"].get<uint64_t>());
  }
  return out;
}

std::string recipe_section(const Json& job) {
  const Json& r = job["recipe"];
  return fmt::format(
      "## Recipe\n\n| | |\n|---|---|\n| rank, alpha, dropout | {}, {}, {} |\n| targets | {} |\n"
      "| learning rate | {}, {}, {} warm-up steps |\n| weight decay, clipping | {}, {} |\n"
      "| epochs, tokens per step, tokens per row | {}, {}, {} |\n| seed | {} |\n"
      "| chat template, system prompt | {}, {} |\n| numeric path | {} |\n",
      r["rank"].dump(), r["alpha"].dump(), r["dropout"].dump(), joined(r["targets"]),
      r["learningRate"].dump(), r["schedule"].get<std::string>(), r["warmupSteps"].dump(),
      r["weightDecay"].dump(), r["clip"].dump(), r["epochs"].dump(), r["tokensPerStep"].dump(),
      r["maxTokens"].dump(), r["seed"].dump(), job["chatTemplate"].get<std::string>(),
      r["systemPrompt"].get<std::string>(), job["numericPath"].get<std::string>());
}

std::string loss_section(const Json& report) {
  std::vector<double> losses;
  for (const Json& s : report["lossCurve"]) losses.push_back(s["loss"].get<double>());
  std::string out = fmt::format(
      "## Losses\n\nIn nats per token of the answers.\n\n```\ntraining  "
      "{:.3f} {} {:.3f}\n```\n",
      losses.front(), sparkline(losses), losses.back());
  if (report["evaluations"].empty()) return out;
  out += "\n| step | held-out loss | perplexity |\n|---|---|---|\n";
  for (const Json& e : report["evaluations"]) {
    out += fmt::format("| {} | {:.4f} | {:.2f} |\n", e["step"].get<uint64_t>(),
                       e["loss"].get<double>(), e["perplexity"].get<double>());
  }
  return out;
}

}  // namespace

Json train_report(const Json& job, const Json& data, const lm::Engine& engine,
                  const lm::FineTune& tuning, const TrainTimes& times) {
  uint64_t tokens = 0, targets = 0;
  for (const lm::StepResult& r : tuning.history()) {
    tokens += r.tokens;
    targets += r.targets;
  }
  Json evaluations = Json::array();
  for (const lm::Evaluation& e : tuning.evaluations()) {
    evaluations.push_back({{"step", e.step}, {"loss", e.loss}, {"perplexity", std::exp(e.loss)}});
  }
  Json report = {{"format", "ffe.train.v1"},
                 {"version", FFE_VERSION},
                 {"job", job},
                 {"data", data["data"]},
                 {"machine",
                  {{"numericPath", lm::numeric_name(engine.numeric())},
                   {"instructionSet", engine.instruction_set()},
                   {"threads", engine.threads()},
                   {"seconds", times.seconds},
                   {"tokensPerSecond",
                    times.seconds > 0 ? static_cast<double>(times.tokens) / times.seconds : 0.0}}},
                 {"steps", tuning.steps_done()},
                 {"tokens", tokens},
                 {"targets", targets},
                 {"lossCurve", loss_curve(tuning)},
                 {"evaluations", evaluations}};
  if (data.contains("heldOut")) report["heldOut"] = data["heldOut"];
  return report;
}

std::string model_card(const Json& report) {
  const Json& job = report["job"];
  const std::string name = job["model"]["name"].get<std::string>();
  return fmt::format(
             "---\nbase_model: {}\nlibrary_name: peft\npipeline_tag: text-generation\ntags:\n"
             "- lora\n- ffe\n---\n\n# LoRA adapter for {}\n\nTrained with FFE {} on a CPU.\n\n"
             "Base model SHA-256: `{}`\n\n",
             yaml_text(name), name, report["version"].get<std::string>(),
             job["model"]["sha256"].get<std::string>()) +
         data_section(report) + "\n" + recipe_section(job) + "\n" + loss_section(report);
}

}  // namespace ffe::cli
