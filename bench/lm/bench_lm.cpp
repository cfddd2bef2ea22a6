// Tokens per second of training and evaluation, and the rate of arithmetic against the machine's
// matrix products on the same shapes.
//
//   bench_lm [--model PATH] [--numeric NAME] [--threads N]
//            [--adapters N] [--seconds S]
#include <chrono>
#include <cstdlib>
#include <fmt/core.h>
#include <string>
#include <time.h>

#include "base/error.hpp"
#include "crypto/random.hpp"
#include "lm/engine.hpp"
#include "lm/generate.hpp"
#include "lm/trainer.hpp"

namespace {

using namespace ffe;
using namespace ffe::lm;
using Clock = std::chrono::steady_clock;

struct Options {
  std::string model = default_model_path();
  NumericPath numeric = best_numeric_path();
  int threads = 0;
  size_t adapters = 1;
  double seconds = 5;
};

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Rows as the demo has them: a common beginning, a question, an answer that counts.
std::vector<Example> make_rows(const ModelConfig& config, size_t count, size_t length,
                               size_t common) {
  H256 seed;
  seed[0] = static_cast<uint8_t>(length);
  crypto::ChaChaRng rng(seed.bytes);
  std::vector<int32_t> beginning;
  for (size_t i = 0; i < common; ++i) {
    beginning.push_back(static_cast<int32_t>(rng.below(config.vocab)));
  }
  std::vector<Example> rows(count);
  for (Example& row : rows) {
    row.tokens = beginning;
    while (row.tokens.size() < length) {
      row.tokens.push_back(static_cast<int32_t>(rng.below(config.vocab)));
    }
    row.target.assign(length, 0);
    std::fill(row.target.begin() + static_cast<ptrdiff_t>(length) / 2, row.target.end(),
              uint8_t{1});
  }
  return rows;
}

double processor_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Rate {
  double wall;  // tokens per second
  double core;  // tokens per second of one core: comparable when other programs run beside this one
};

// Calls `work` until `seconds` have passed.
template <class Work>
Rate rate(double seconds, size_t tokens, Work work) {
  work();
  size_t rounds = 0;
  const auto start = Clock::now();
  const double start_cpu = processor_seconds();
  do {
    work();
    ++rounds;
  } while (since(start) < seconds);
  const auto all = static_cast<double>(rounds * tokens);
  return {all / since(start), all / (processor_seconds() - start_cpu)};
}

void bench_rows(const Engine& engine, const Options& options, const char* name, size_t count,
                size_t length, size_t common) {
  const std::vector<Example> rows = make_rows(engine.config(), count, length, common);
  MultiTrainer trainer(engine);
  OptimizerConfig optimizer;
  optimizer.schedule = Schedule::kConstant;
  std::vector<TrainItem> items;
  for (uint32_t a = 0; a < options.adapters; ++a) {
    trainer.add(make_adapter(engine.config(), {}, {}), optimizer);
    for (const Example& row : rows) items.push_back({a, &row});
  }
  const size_t tokens = items.size() * length;
  const Rate train = rate(options.seconds, tokens, [&] { trainer.step(items); });
  std::vector<EvalItem> evals;
  std::vector<LoraAdapter> adapters;
  for (uint32_t a = 0; a < options.adapters; ++a) adapters.push_back(trainer.adapter(a));
  for (const TrainItem& item : items) evals.push_back({&adapters[item.adapter], item.example});
  const Rate eval = rate(options.seconds, tokens, [&] { engine.row_losses(evals); });
  fmt::print("{:<30} train {:6.0f} tokens/s ({:5.0f} a core)   evaluate {:6.0f} ({:5.0f})\n", name,
             train.wall, train.core, eval.wall, eval.core);
  std::fflush(stdout);
}

void bench_generation(const Engine& engine, const Options& options) {
  const std::vector<Example> rows = make_rows(engine.config(), 1, 64, 0);
  SamplingOptions sampling;
  sampling.max_new_tokens = 32;
  Generator generator(engine);
  const Rate speed = rate(options.seconds, sampling.max_new_tokens,
                          [&] { generator.generate(rows[0].tokens, sampling); });
  fmt::print("{:<30} {:6.1f} tokens/s\n", "generate 32 tokens", speed.wall);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--model") options.model = argv[i + 1];
    if (name == "--numeric") options.numeric = numeric_from_name(argv[i + 1]);
    if (name == "--threads") options.threads = std::atoi(argv[i + 1]);
    if (name == "--adapters") options.adapters = static_cast<size_t>(std::atoi(argv[i + 1]));
    if (name == "--seconds") options.seconds = std::atof(argv[i + 1]);
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  const auto start = Clock::now();
  const ModelFile model = ModelFile::open(options.model);
  const Engine engine(model, {.numeric = options.numeric, .threads = options.threads});
  fmt::print("{} on {} ({}), {} threads, {} adapter(s); loaded in {:.2f} s\n", engine.config().name,
             numeric_name(engine.numeric()), engine.instruction_set(), engine.threads(),
             options.adapters, since(start));
  bench_rows(engine, options, "8 rows of 30 tokens a step", 8, 30, 3);
  bench_rows(engine, options, "64 rows of 30 tokens a step", 64, 30, 3);
  bench_rows(engine, options, "32 rows of 128, 64 in common", 32, 128, 64);
  bench_rows(engine, options, "8 rows of 512 tokens a step", 8, 512, 3);
  bench_generation(engine, options);
} catch (const ffe::Error& error) {
  fmt::print(stderr, "{}\n{}\n", error.what(), error.hint());
  return ffe::exit_status(error.code());
}
