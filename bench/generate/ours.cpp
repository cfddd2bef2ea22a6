// Our side of the comparison with llama.cpp, driven by compare.py.
//
//   generate_ours adapter MODEL OUT.gguf    writes the adapter that the peer uses
//   generate_ours serve MODEL NUMERIC THREADS
//                                           loads the model, then answers commands line by line
//
// Commands: run STREAMS ADAPTERS PROMPT TOKENS (greedy; ADAPTERS 1: every stream an adapter of its
// own), seal FRAMES (one streamed answer, end-to-end encrypted). Each answer is one line of JSON.
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <unistd.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "crypto/random.hpp"
#include "e2ee/envelope.hpp"
#include "lm/adapter_file.hpp"
#include "lm/batch_generator.hpp"
#include "lm/lora.hpp"

namespace {

using namespace ffe;
using namespace ffe::lm;
using Clock = std::chrono::steady_clock;

constexpr size_t kOwners = 8;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double memory_mb(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(field)) return std::stod(line.substr(field.size() + 1)) / 1024;
  }
  return 0;
}

// Rank 8 on all projections, as trained: B is not zero.
LoraAdapter owner_adapter(const ModelConfig& config, size_t owner) {
  H256 seed;
  seed[0] = static_cast<uint8_t>(owner);
  LoraAdapter adapter = make_adapter(config, {}, seed);
  crypto::ChaChaRng rng(seed.bytes);
  for (auto& [name, m] : adapter.modules) {
    for (float& b : m.b) b = static_cast<float>((rng.uniform01() - 0.5) * 0.01);
  }
  return adapter;
}

class Side {
 public:
  Side(const std::string& path, const std::string& numeric, int threads)
      : start_(Clock::now()), engine_(load(path, numeric, threads)), load_seconds_(since(start_)) {
    for (size_t i = 0; i < kOwners; ++i) {
      adapters_.push_back(std::make_shared<const LoraAdapter>(owner_adapter(engine_.config(), i)));
    }
  }

  Json about() const {
    return {{"seconds", load_seconds_},
            {"numeric", numeric_name(engine_.numeric())},
            {"instruction_set", engine_.instruction_set()},
            {"threads", engine_.threads()},
            {"kv_bytes_per_token", BatchGenerator::kv_bytes_per_token(engine_.config())},
            {"memory_mb", memory_mb("VmRSS:")}};
  }

  // All streams join at once with prompts of their own. First token: until every stream has one.
  Json run(size_t streams, bool adapters, size_t prompt, size_t tokens) {
    BatchGenerator batch(engine_);
    for (size_t s = 0; s < streams; ++s) {
      StreamRequest request;
      if (adapters) request.adapter = adapters_.at(s);
      for (size_t i = 0; i < prompt; ++i) {
        request.prompt.push_back(static_cast<int32_t>((1000 + 37 * s + 101 * i) % 40000));
      }
      request.sampling.max_new_tokens = tokens;
      batch.add(std::move(request));
    }
    const auto start = Clock::now();
    double first = 0;
    size_t drawn = 0;
    size_t before = 0;  // drawn until `first`
    std::vector<bool> begun(streams + 1);
    size_t waiting = streams;
    while (batch.active() > 0) {
      for (const StreamEvent& event : batch.step()) {
        if (!event.token) continue;
        ++drawn;
        if (begun[event.id]) continue;
        begun[event.id] = true;
        if (--waiting == 0) first = since(start);
      }
      if (waiting == 0 && before == 0) before = drawn;
    }
    return {{"first", first},
            {"seconds", since(start) - first},
            {"tokens", drawn - before},
            {"memory_mb", memory_mb("VmRSS:")}};
  }

  // What the encryption of `frames` frames of one token each takes.
  static Json seal(size_t frames) {
    const auto key = crypto::X25519KeyPair::generate();
    const e2ee::Recipient recipient{key.public_key, crypto::PrivateKey::generate().address()};
    const Json request = {{"model", "ft"},
                          {"stream", true},
                          {"messages", {{{"role", "user"}, {"content", "What is a newt?"}}}}};
    const auto sealed = e2ee::seal_request(request, recipient, e2ee::default_sealed(request));
    const auto opened = e2ee::open_request(sealed.envelope, key, recipient.signer);
    e2ee::ResponseSealer sealer(opened);
    size_t bytes = 0;
    double seconds = 0;
    for (size_t i = 0; i < frames; ++i) {
      const Json delta = {{"content", " salamander"}};
      const Json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", nullptr}};
      const Json body = {{"id", "chatcmpl-0123456789abcdef"},
                         {"object", "chat.completion.chunk"},
                         {"created", 1764340000},
                         {"model", "ft"},
                         {"choices", Json::array({choice})}};
      const auto start = Clock::now();
      const std::string sealed_frame = sealer.seal(body, i + 1 == frames).dump();
      seconds += since(start);
      bytes += sealed_frame.size();
    }
    return {{"seconds", seconds}, {"frames", frames}, {"bytes", bytes}};
  }

 private:
  static Engine load(const std::string& path, const std::string& numeric, int threads) {
    const ModelFile model = ModelFile::open(path);
    return Engine(model,
                  {.numeric = generation_numeric_from_name(numeric, model), .threads = threads});
  }

  Clock::time_point start_;
  Engine engine_;
  double load_seconds_;
  std::vector<std::shared_ptr<const LoraAdapter>> adapters_;
};

int serve(const std::string& model, const std::string& numeric, int threads) {
  Side side(model, numeric, threads);
  std::cout << side.about().dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    size_t n[4] = {};
    words >> command >> n[0] >> n[1] >> n[2] >> n[3];
    if (command == "seal") {
      std::cout << Side::seal(n[0]).dump() << std::endl;
    } else {
      std::cout << side.run(n[0], n[1] != 0, n[2], n[3]).dump() << std::endl;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "adapter") {
    const ModelConfig config = ModelFile::open(arguments[1]).config();
    write_file_atomic(arguments[2], gguf_adapter(owner_adapter(config, 0), config));
    return 0;
  }
  if (arguments.size() == 4 && arguments[0] == "serve") {
    return serve(arguments[1], arguments[2], std::stoi(arguments[3]));
  }
  std::cerr << "usage: generate_ours adapter MODEL OUT.gguf | serve MODEL NUMERIC THREADS\n";
  return 2;
} catch (const ffe::Error& error) {
  std::cerr << "error: " << error.what() << '\n';
  return ffe::exit_status(error.code());
}
