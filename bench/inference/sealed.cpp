// What sealing costs: the same answers drawn from the batch directly, and through the sealed
// service over HTTP, with client and enclave on this machine. Each stream has an adapter of its own
// and its own owner.
//
// bench_sealed MODEL [TOKENS [THREADS]]: a row of JSON per number of streams.
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "lm/batch_generator.hpp"
#include "sealed_world.hpp"

namespace ffe::inference {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kFirstToken = 17001;
constexpr size_t kMostStreams = 8;
constexpr const char* kQuestion = "Tell me everything that you know about lynxes, and then more.";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Result {
  double seconds = 0;
  double first = 0;  // until a stream's first token, mean
  size_t tokens = 0;
};

struct Bench {
  Bench(const std::filesystem::path& model, size_t tokens, int threads)
      : tokens(tokens), threads(threads), world(options(threads), model) {
    for (size_t i = 0; i < kMostStreams; ++i) {
      users.push_back(std::make_unique<crypto::PrivateKey>(crypto::PrivateKey::generate()));
      const uint64_t token = kFirstToken + i;
      Artifact& artifact = world.add_token(token, users[i]->address(), static_cast<uint8_t>(i + 1));
      lines.push_back(std::make_unique<EnclaveLine>(world.parts(token, *users[i], artifact)));
      lines[i]->load();
      adapters.push_back(std::make_shared<lm::LoraAdapter>(artifact.adapter));
    }
  }

  static ServeOptions options(int threads) {
    ServeOptions o = SealedWorld::quick_options();
    o.numeric = "auto";
    o.threads = threads;
    o.max_context = 1024;
    o.max_tokens = 512;
    o.memory_bytes = uint64_t{4} << 30;
    o.owner_tokens_per_minute = 1'000'000'000;
    return o;
  }

  Result direct(const lm::Engine& engine, size_t streams) {
    lm::BatchGenerator batch(engine);
    const auto prompt = world.chat().encode_chat({{"user", kQuestion}}, true, false).tokens;
    const auto start = Clock::now();
    std::map<lm::StreamId, bool> begun;
    for (size_t i = 0; i < streams; ++i) {
      lm::SamplingOptions sampling;
      sampling.max_new_tokens = tokens;
      begun[batch.add({adapters[i], prompt, sampling})] = false;
    }
    Result out;
    while (batch.active() > 0) {
      for (const lm::StreamEvent& event : batch.step()) {
        if (!event.token) continue;
        ++out.tokens;
        if (!std::exchange(begun[event.id], true)) out.first += seconds_since(start);
      }
    }
    out.seconds = seconds_since(start);
    out.first /= static_cast<double>(streams);
    return out;
  }

  Result sealed(size_t streams) {
    const auto start = Clock::now();
    std::vector<std::thread> askers;
    std::vector<Result> each(streams);
    for (size_t i = 0; i < streams; ++i) {
      askers.emplace_back([&, i] {
        Json request = SealedWorld::question(kQuestion, tokens);
        request["stream_options"] = {{"include_usage", true}};
        lines[i]->stream(request, [&](const Json& chunk) {
          const Json& choices = chunk["choices"];
          const bool text = !choices.empty() && !choices[0]["delta"].value("content", "").empty();
          if (text && each[i].first == 0) each[i].first = seconds_since(start);
          if (chunk.contains("usage")) each[i].tokens = chunk["usage"]["completion_tokens"];
          return true;
        });
      });
    }
    for (std::thread& asker : askers) asker.join();
    Result out;
    out.seconds = seconds_since(start);
    for (const Result& r : each) {
      out.tokens += r.tokens;
      out.first += r.first / static_cast<double>(streams);
    }
    return out;
  }

  size_t tokens;
  int threads;
  SealedWorld world;
  std::vector<std::unique_ptr<crypto::PrivateKey>> users;
  std::vector<std::unique_ptr<EnclaveLine>> lines;
  std::vector<std::shared_ptr<const lm::LoraAdapter>> adapters;
};

// Both ways in turn, so that what else the machine does meets both; the faster of three counts.
void measure(Bench& bench, const lm::Engine& engine, size_t streams) {
  Result direct, sealed;
  for (int i = 0; i < 3; ++i) {
    const Result d = bench.direct(engine, streams), s = bench.sealed(streams);
    if (direct.seconds == 0 || d.seconds < direct.seconds) direct = d;
    if (sealed.seconds == 0 || s.seconds < sealed.seconds) sealed = s;
  }
  const auto rate = [](const Result& r) { return static_cast<double>(r.tokens) / r.seconds; };
  std::printf("%s\n", Json{{"streams", streams},
                           {"tokens", sealed.tokens},
                           {"directTokensPerSecond", rate(direct)},
                           {"sealedTokensPerSecond", rate(sealed)},
                           {"overheadPercent", 100 * (1 - rate(sealed) / rate(direct))},
                           {"directFirstTokenSeconds", direct.first},
                           {"sealedFirstTokenSeconds", sealed.first},
                           {"numericPath", lm::numeric_name(engine.numeric())},
                           {"threads", engine.threads()}}
                          .dump()
                          .c_str());
  std::fflush(stdout);
}

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_sealed MODEL [TOKENS [THREADS]]\n");
    return 2;
  }
  const size_t tokens = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 64;
  const int threads = argc > 3 ? std::atoi(argv[3]) : 2;
  Bench bench(argv[1], tokens, threads);
  lm::EngineOptions options;
  options.numeric = lm::generation_numeric_path(bench.world.model());
  options.threads = threads;
  const lm::Engine engine(bench.world.model(), options);
  bench.sealed(1);  // the service reads its weights
  for (const size_t streams : {1, 2, 4, 8}) measure(bench, engine, streams);
  return 0;
}

}  // namespace
}  // namespace ffe::inference

int main(int argc, char** argv) {
  try {
    return ffe::inference::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "error: %s\n", e.what());
    return 1;
  }
}
