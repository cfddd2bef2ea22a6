// Our side of the comparison with transformers and PEFT, driven by compare.py.
//
//   lm_ours tokens MODEL ROWS.jsonl [SYSTEM]   prints each row's tokens and targets as JSON
//   lm_ours serve MODEL TOKENS.jsonl NUMERIC   loads the model, then answers commands line by line
//
// Commands: train, evaluate (once over all rows), together N and apart N (N adapters at once, or
// one after the other), step4096 (one step of 4096 tokens), generate. Each answer is one line of
// JSON.
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <time.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "lm/chat_template.hpp"
#include "lm/engine.hpp"
#include "lm/generate.hpp"
#include "lm/plan.hpp"
#include "lm/rows.hpp"
#include "lm/tokenizer.hpp"
#include "lm/trainer.hpp"

namespace {

using namespace ffe;
using namespace ffe::lm;
using Clock = std::chrono::steady_clock;

constexpr size_t kBatch = 8;  // rows of an optimiser step

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int print_tokens(const std::string& model_path, const std::string& rows_path,
                 const std::string& system) {
  const ModelFile model = ModelFile::open(model_path);
  const Tokenizer tokenizer = Tokenizer::from(model);
  const ChatTemplate chat = ChatTemplate::from(model, tokenizer);
  for (Row& row : read_rows_file(rows_path)) {
    if (!system.empty()) row.messages.insert(row.messages.begin(), {"system", system});
    const Example example = to_example(row, tokenizer, &chat, {});
    std::cout << Json{{"tokens", example.tokens}, {"target", example.target}}.dump() << '\n';
  }
  return 0;
}

std::vector<Example> read_tokens(const std::string& path) {
  std::ifstream in(path);
  std::vector<Example> rows;
  for (std::string line; std::getline(in, line);) {
    const Json row = parse_json(line, path);
    rows.push_back({row.at("tokens").get<std::vector<int32_t>>(),
                    row.at("target").get<std::vector<uint8_t>>()});
  }
  if (rows.empty()) throw Error(ErrorCode::kBadInput, path + ": no rows");
  return rows;
}

double processor_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Megabytes: "VmHWM" is the most that ever was in memory, "VmRSS" what is now.
double memory_of_process(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field)) return std::stod(line.substr(field.size() + 1)) / 1024;
  }
  return 0;
}

class Side {
 public:
  Side(const std::string& model, std::vector<Example> rows, NumericPath numeric)
      : start_(Clock::now()),
        engine_(ModelFile::open(model), {.numeric = numeric}),
        load_seconds_(since(start_)),
        rows_(std::move(rows)),
        trainer_(engine_) {
    for (const Example& row : rows_) tokens_ += row.tokens.size();
    add_adapters(1);
  }

  Json answer(const std::string& command, size_t n) {
    if (command == "load") return about();
    const auto start = Clock::now();
    const double start_cpu = processor_seconds();
    size_t tokens = tokens_;
    double loss = 0;
    flops_ = 0;
    if (command == "train") {
      loss = train(0, 1);
    } else if (command == "evaluate") {
      loss = evaluate();
    } else if (command == "together" || command == "apart") {
      add_adapters(n);
      tokens *= n;
      if (command == "together") loss = train(0, n);
      for (size_t a = 0; command == "apart" && a < n; ++a) loss = train(a, 1);
    } else if (command == "step4096") {
      tokens = large_step();
    } else if (command == "generate") {
      tokens = generate();
    } else {
      throw Error(ErrorCode::kUsage, "unknown command " + command);
    }
    return Json{{"seconds", since(start)}, {"cpu_seconds", processor_seconds() - start_cpu},
                {"tokens", tokens},        {"loss", loss},
                {"flops", flops_},         {"peak_mb", memory_of_process("VmHWM:")}};
  }

 private:
  Json about() const {
    const ModelConfig& c = engine_.config();
    return Json{{"seconds", load_seconds_},
                {"numeric", numeric_name(engine_.numeric())},
                {"instruction_set", engine_.instruction_set()},
                {"threads", engine_.threads()},
                {"tokens", tokens_},
                {"weights", weights()},
                {"shape", {c.hidden, c.q_size(), c.kv_size(), c.intermediate}},
                {"peak_mb", memory_of_process("VmHWM:")}};
  }

  size_t weights_of(Projection p) const {
    return size_t{projection_rows(engine_.config(), p)} * projection_columns(engine_.config(), p);
  }
  size_t layer_weights() const {
    size_t sum = 0;
    for (size_t p = 0; p < kProjections; ++p) sum += weights_of(static_cast<Projection>(p));
    return sum;
  }
  size_t weights() const {
    const ModelConfig& c = engine_.config();
    return layer_weights() * c.layers + size_t{c.vocab} * c.hidden * (c.tie_embeddings ? 1 : 2);
  }

  // Of the products with frozen weights that a training step on `rows` computes, forward and
  // backward: prefixes once, the last layer and the head for the answers alone.
  double flops_of(std::span<const PlanItem> items) const {
    const ModelConfig& c = engine_.config();
    const auto layer = static_cast<double>(layer_weights());
    const auto kv = static_cast<double>(weights_of(Projection::kK) + weights_of(Projection::kV));
    const double qkv = kv + static_cast<double>(weights_of(Projection::kQ));
    const double head = static_cast<double>(c.vocab) * c.hidden;
    double sum = 0;
    const EngineOptions& options = engine_.options();
    for (const Pack& pack : make_packs(items, options.train_tokens, options.share_prefixes)) {
      const auto n = static_cast<double>(pack.tokens.size());
      size_t needed = 0;
      for (size_t t = 0; t < pack.targets.size(); ++t) {
        needed += t == 0 || pack.targets[t].row != pack.targets[t - 1].row;
      }
      const auto m = static_cast<double>(needed);
      sum += 4 * (n * (layer * (c.layers - 1) + kv) + m * (layer - kv + head)) - 2 * n * qkv;
    }
    return sum;
  }

  void add_adapters(size_t count) {
    OptimizerConfig optimizer;
    optimizer.learning_rate = 1e-4;
    optimizer.schedule = Schedule::kConstant;
    while (trainer_.size() < count) {
      H256 seed;
      seed[0] = static_cast<uint8_t>(trainer_.size());
      trainer_.add(make_adapter(engine_.config(), {}, seed), optimizer);
    }
  }

  // Once over the rows, kBatch a step, for adapters [first, first + count).
  double train(size_t first, size_t count) {
    double loss = 0;
    for (size_t i = 0; i < rows_.size(); i += kBatch) {
      std::vector<TrainItem> items;
      for (size_t a = first; a < first + count; ++a) {
        for (size_t r = i; r < std::min(rows_.size(), i + kBatch); ++r) {
          items.push_back({static_cast<uint32_t>(a), &rows_[r]});
        }
      }
      loss += trainer_.step(items).front().loss;
      std::vector<PlanItem> plan;
      for (const TrainItem& item : items) plan.push_back({item.adapter, item.example});
      flops_ += flops_of(plan);
    }
    return loss / static_cast<double>((rows_.size() + kBatch - 1) / kBatch);
  }

  double evaluate() {
    const LoraAdapter adapter = trainer_.adapter(0);
    std::vector<EvalItem> items;
    for (const Example& row : rows_) items.push_back({&adapter, &row});
    double sum = 0;
    for (float loss : engine_.row_losses(items)) sum += loss;
    return sum / static_cast<double>(rows_.size());
  }

  size_t large_step() {
    std::vector<TrainItem> items;
    size_t tokens = 0;
    for (size_t r = 0; tokens < 4096; r = (r + 1) % rows_.size()) {
      items.push_back({0, &rows_[r]});
      tokens += rows_[r].tokens.size();
    }
    trainer_.step(items);
    return tokens;
  }

  size_t generate() {
    SamplingOptions sampling;
    sampling.temperature = 0;
    sampling.max_new_tokens = 64;
    Generator generator(engine_);
    return generator.generate(rows_[0].tokens, sampling).tokens.size();
  }

  Clock::time_point start_;
  Engine engine_;
  double load_seconds_;
  std::vector<Example> rows_;
  size_t tokens_ = 0;
  double flops_ = 0;  // of the last command
  MultiTrainer trainer_;
};

int serve(const std::string& model, const std::string& tokens, const std::string& numeric) {
  Side side(model, read_tokens(tokens), numeric_from_name(numeric));
  std::cout << side.answer("load", 0).dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    size_t n = 1;
    words >> command >> n;
    std::cout << side.answer(command, n).dump() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() >= 3 && arguments[0] == "tokens") {
    return print_tokens(arguments[1], arguments[2], arguments.size() > 3 ? arguments[3] : "");
  }
  if (arguments.size() == 4 && arguments[0] == "serve") {
    return serve(arguments[1], arguments[2], arguments[3]);
  }
  std::cerr << "usage: lm_ours tokens MODEL ROWS [SYSTEM] | lm_ours serve MODEL TOKENS NUMERIC\n";
  return 2;
} catch (const ffe::Error& error) {
  std::cerr << "error: " << error.what() << '\n';
  return ffe::exit_status(error.code());
}
