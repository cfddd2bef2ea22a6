// ffe train: one party, its own rows, its own adapter.
#include <chrono>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/loss_curve.hpp"
#include "cli/train_options.hpp"
#include "cli/train_report.hpp"
#include "crypto/hash.hpp"
#include "lm/adapter_file.hpp"
#include "lm/fine_tune.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCheckpoint = "checkpoint.ffe";
constexpr const char* kReport = "report.json";

Json counts(const lm::Dataset& data) {
  return {{"rows", data.examples.size()},
          {"truncated", data.truncated_count()},
          {"withoutTarget", data.without_target},
          {"tokens", data.tokens()},
          {"targets", data.targets()}};
}

Json fingerprint(const lm::Dataset& data) {
  return {{"rows", data.examples.size()}, {"sha256", to_hex(lm::hash_of(data.examples).bytes)}};
}

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,=:@%+";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return word;
  std::string out = "'";
  for (char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class TrainCommand {
 public:
  TrainCommand(const TrainOptions& options, const std::vector<std::string>& arguments,
               Terminal& terminal)
      : o_(options), arguments_(arguments), t_(terminal), model_(options.model) {}

  void run() {
    const lm::FineTuneRecipe recipe = recipe_of(o_);
    const bool continuing = prepare_folder();
    read_rows();
    const lm::Engine& engine = model_.engine(t_, o_.micro_tokens);
    lm::FineTune tuning(engine, recipe, data_.examples, seeded_rng(o_.seed, "train"));
    const Json job = identity(recipe, engine, tuning);
    if (o_.resume && fs::exists(o_.out / kReport)) return show_finished(job);
    tuning.set_identity(job);
    if (continuing) {
      tuning.restore(read_file(o_.out / kCheckpoint));
      t_.step("Resuming",
              fmt::format("after step {} of {}", tuning.steps_done(), tuning.steps_total()));
    }
    train(tuning);
    write(job, engine, tuning);
  }

 private:
  // Whether there is a checkpoint to go on from.
  bool prepare_folder() {
    std::error_code ec;
    const bool checkpoint = fs::exists(o_.out / kCheckpoint, ec);
    if (o_.force) {
      fs::remove(o_.out / kCheckpoint, ec);
      fs::remove(o_.out / kReport, ec);
      return false;
    }
    if (o_.resume) {
      if (!checkpoint && !fs::exists(o_.out / kReport)) {
        t_.note("no checkpoint yet: from the beginning");
      }
      return checkpoint;
    }
    if (checkpoint) {
      throw Error(ErrorCode::kUsage,
                  o_.out.string() + " holds the checkpoint of a training that did not end",
                  "--resume goes on with it, --force begins again");
    }
    if (fs::exists(o_.out / "adapter_config.json")) {
      throw Error(ErrorCode::kUsage, o_.out.string() + " holds an adapter already",
                  "name another folder with --out, or replace it with --force");
    }
    return false;
  }

  void read_rows() {
    data_ = model_.dataset(o_.data);
    if (!o_.held_out.empty()) {
      held_out_ = model_.dataset(o_.held_out);
    } else if (o_.split > 0) {
      held_out_ = lm::hold_out(data_, o_.split, seeded_rng(o_.seed, "split"));
    }
    t_.step("Read", fmt::format("{}  {} rows · {} tokens, {} in the loss",
                                o_.data.filename().string(), format_count(data_.examples.size()),
                                format_count(data_.tokens()), format_count(data_.targets())));
    if (!held_out_.examples.empty()) {
      t_.step("Held out", fmt::format("{} rows · {} tokens in the loss",
                                      format_count(held_out_.examples.size()),
                                      format_count(held_out_.targets())));
    }
    warn_of_cuts(data_, o_.data);
    if (!o_.held_out.empty()) warn_of_cuts(held_out_, o_.held_out);
  }

  void warn_of_cuts(const lm::Dataset& data, const fs::path& file) {
    const size_t cut = data.truncated_count();
    if (cut == 0 && data.without_target == 0) return;
    t_.warn(fmt::format("{}: {} rows cut after {} tokens, {} left out because no answer fits",
                        file.filename().string(), format_count(cut),
                        format_count(model_.example_options().max_tokens),
                        format_count(data.without_target)));
  }

  Json identity(const lm::FineTuneRecipe& recipe, const lm::Engine& engine,
                const lm::FineTune& tuning) const {
    Json targets = Json::array();
    for (size_t p = 0; p < lm::kProjections; ++p) {
      if (recipe.lora.targets.test(p)) {
        targets.push_back(lm::projection_name(static_cast<lm::Projection>(p)));
      }
    }
    const lm::OptimizerConfig& optimizer = tuning.optimizer();
    Json job = {
        {"model", {{"name", base_name()}, {"sha256", to_hex(model_.file().sha256().bytes)}}},
        {"data", fingerprint(data_)},
        {"numericPath", lm::numeric_name(model_.numeric())},
        {"chatTemplate", model_.chat_name()},
        {"recipe",
         {{"rank", recipe.lora.rank},
          {"alpha", recipe.lora.alpha},
          {"dropout", recipe.lora.dropout},
          {"targets", targets},
          {"learningRate", optimizer.learning_rate},
          {"schedule", lm::schedule_name(optimizer.schedule)},
          {"warmupSteps", optimizer.warmup_steps},
          {"weightDecay", optimizer.weight_decay},
          {"clip", optimizer.clip},
          {"epochs", recipe.epochs},
          {"tokensPerStep", recipe.tokens_per_step},
          // Gradients are rounded as they are added up, one micro-batch after another.
          {"microTokens", engine.options().train_tokens},
          {"maxTokens", model_.example_options().max_tokens},
          {"systemPrompt", o_.model.system_prompt},
          {"seed", o_.seed}}}};
    if (!held_out_.examples.empty()) {
      job["heldOut"] = fingerprint(held_out_);
      job["evaluateEvery"] = o_.evaluate_every;
    }
    return job;
  }

  std::string base_name() const {
    return o_.base_name.empty() ? model_.config().name : o_.base_name;
  }

  void train(lm::FineTune& tuning) {
    lm::FineTuneRun run;
    run.held_out = held_out_.examples;
    run.evaluate_every = o_.evaluate_every;
    run.checkpoint = o_.out / kCheckpoint;
    run.checkpoint_seconds = o_.checkpoint_seconds;
    run.checkpoint_steps = o_.checkpoint_steps;
    uint64_t done = 0;
    for (const lm::StepResult& r : tuning.history()) done += r.tokens;
    const uint64_t total = tuning.tokens_total();
    const auto start = std::chrono::steady_clock::now();
    Progress bar =
        t_.bar("Training", fmt::format("{} steps", tuning.steps_total()), "tokens", done);
    run.on_step = [&](const lm::StepResult& r) {
      t_.bar_text(fmt::format("step {}/{}  loss {:.3f}", r.step + 1, tuning.steps_total(), r.loss));
      times_.tokens += r.tokens;
      bar(done += r.tokens, total);
    };
    run.evaluating = [&](uint64_t now, uint64_t all) {
      t_.bar_text(fmt::format("evaluating {}%", all > 0 ? 100 * now / all : 0));
      bar(done, total);
    };
    run.on_evaluation = [&](const lm::Evaluation& e) {
      t_.step("Evaluated", fmt::format("step {}  held-out loss {:.3f}, perplexity {:.2f}", e.step,
                                       e.loss, std::exp(e.loss)));
    };
    std::error_code ec;
    fs::create_directories(o_.out, ec);
    if (ec) throw Error(ErrorCode::kIo, "cannot create " + o_.out.string() + ": " + ec.message());
    remove_leftovers();
    run_until_interrupted(tuning, run);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    times_.seconds = seconds.count();
    t_.finish_bar(fmt::format("{} steps", tuning.steps_total()));
  }

  // What a process that was killed while it wrote has left beside its files.
  void remove_leftovers() const {
    constexpr size_t kSuffix = 7;  // ".XXXXXX"
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(o_.out, ec)) {
      const std::string name = entry.path().filename().string();
      for (const char* file : {kCheckpoint, kReport, "adapter_model.safetensors",
                               "adapter_config.json", "README.md", "adapter.gguf"}) {
        const bool ours = name.starts_with(file) && name.size() == std::strlen(file) + kSuffix &&
                          name[std::strlen(file)] == '.';
        if (ours) fs::remove(entry.path(), ec);
      }
    }
  }

  void run_until_interrupted(lm::FineTune& tuning, const lm::FineTuneRun& run) {
    try {
      tuning.run(run);
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) {
        throw Error(ErrorCode::kInterrupted,
                    fmt::format("interrupted after step {} of {}; the checkpoint is {}",
                                tuning.steps_done(), tuning.steps_total(), run.checkpoint.string()),
                    "go on: " + resume_command());
      }
      throw;
    }
  }

  std::string resume_command() const {
    std::string out = "ffe";
    for (const std::string& word : arguments_) out += " " + shell_word(word);
    return o_.resume ? out : out + " --resume";
  }

  void write(const Json& job, const lm::Engine& engine, const lm::FineTune& tuning) {
    Json data = {{"data", counts(data_)}};
    if (!held_out_.examples.empty()) data["heldOut"] = counts(held_out_);
    Json report = train_report(job, data, engine, tuning, times_);
    lm::LoraAdapter adapter = tuning.adapter();
    adapter.base_model = base_name();
    lm::write_peft_folder(o_.out, adapter, model_card(report));
    if (!o_.no_gguf) {
      write_file_atomic(o_.out / "adapter.gguf", lm::gguf_adapter(adapter, engine.config()));
    }
    report["adapterSha256"] =
        to_hex(crypto::sha256(read_file(o_.out / "adapter_model.safetensors")).bytes);
    // In this order: a folder with a report is complete.
    write_file_atomic(o_.out / kReport, as_bytes(report.dump(2) + "\n"));
    std::error_code ec;
    fs::remove(o_.out / kCheckpoint, ec);
    show(report);
  }

  void show(const Json& report) {
    std::vector<double> losses;
    for (const Json& s : report["lossCurve"]) losses.push_back(s["loss"].get<double>());
    t_.step("Loss",
            fmt::format("{:.3f} {} {:.3f}", losses.front(), sparkline(losses), losses.back()));
    const Json& evaluations = report["evaluations"];
    if (!evaluations.empty()) {
      t_.step("Held out",
              fmt::format("loss {:.3f} → {:.3f} nats", evaluations.front()["loss"].get<double>(),
                          evaluations.back()["loss"].get<double>()));
    }
    t_.step("Finished", fmt::format("{} steps · {:.0f} tokens/s", report["steps"].get<uint64_t>(),
                                    report["machine"]["tokensPerSecond"].get<double>()));
    if (t_.json()) {
      Json out = report;
      out["folder"] = o_.out.string();
      t_.result(out.dump());
    } else {
      t_.result(o_.out.string());
    }
  }

  void show_finished(const Json& job) {
    const fs::path file = o_.out / kReport;
    const Json report = parse_json(read_text_file(file), file.string());
    lm::require_same_identity(json_member(report, "job", file.string()), job);
    t_.note("this training is complete already");
    std::error_code ec;
    fs::remove(o_.out / kCheckpoint, ec);
    show(report);
  }

  const TrainOptions& o_;
  const std::vector<std::string>& arguments_;
  Terminal& t_;
  LoadedModel model_;
  lm::Dataset data_, held_out_;
  TrainTimes times_;
};

}  // namespace

void add_train(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("train", "Train a LoRA adapter on your rows, on this machine");
  command->option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  auto o = std::make_shared<TrainOptions>();
  add_train_options(*command, *o);
  command->callback([&context, o] {
    if (o->out.empty()) o->out = o->data.stem().string() + "-lora";
    context.chosen = [&context, o](Terminal& t) { TrainCommand(*o, context.arguments, t).run(); };
  });
}

}  // namespace ffe::cli
