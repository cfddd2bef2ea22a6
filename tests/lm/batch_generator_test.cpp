// Streams that share the base model get what each would get alone.
#include "lm/batch_generator.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

#include "base/error.hpp"
#include "crypto/random.hpp"
#include "lm/engine_vectors.hpp"
#include "lm/generate.hpp"
#include "lm/lm_test_util.hpp"

namespace ffe::lm {
namespace {

using testing::VectorCase;

H256 seed_of(uint64_t n) {
  H256 seed;
  for (size_t i = 0; i < 8; ++i) seed[i] = static_cast<uint8_t>(n >> (8 * i));
  return seed;
}

std::shared_ptr<const LoraAdapter> random_adapter(const ModelConfig& config, uint32_t rank,
                                                  uint64_t seed) {
  LoraConfig lora;
  lora.rank = rank;
  if (seed % 2 == 1) lora.targets = ProjectionSet{0b0100101};
  auto adapter = std::make_shared<LoraAdapter>(make_adapter(config, lora, seed_of(seed)));
  crypto::ChaChaRng rng(seed_of(seed + 100).bytes);
  for (auto& [name, m] : adapter->modules) {
    for (float& b : m.b) b = static_cast<float>((rng.uniform01() - 0.5) * 0.1);
  }
  return adapter;
}

StreamRequest random_request(const ModelConfig& config, crypto::ChaChaRng& rng,
                             std::span<const std::shared_ptr<const LoraAdapter>> adapters,
                             size_t longest) {
  StreamRequest request;
  request.adapter = adapters[rng.below(adapters.size())];
  for (size_t n = 1 + rng.below(longest); n > 0; --n) {
    request.prompt.push_back(static_cast<int32_t>(rng.below(config.vocab)));
  }
  SamplingOptions& s = request.sampling;
  s.max_new_tokens = rng.below(12);
  s.temperature = rng.below(2) == 0 ? 0.0 : 0.5 + rng.uniform01();
  s.top_k = rng.below(2) == 0 ? 0 : 5;
  s.top_p = rng.below(2) == 0 ? 1.0 : 0.7;
  s.repetition_penalty = rng.below(2) == 0 ? 1.0 : 1.3;
  s.seed = seed_of(rng.next_u64());
  if (rng.below(3) == 0) {
    for (int i = 0; i < 8; ++i) {
      s.stop_tokens.push_back(static_cast<int32_t>(rng.below(config.vocab)));
    }
  }
  return request;
}

struct Running {
  StreamRequest request;
  Generated got;
};

void expect_as_alone(const Engine& engine, const Running& r, bool whole) {
  Generator alone(engine, r.request.adapter.get());
  Generated want = alone.generate(r.request.prompt, r.request.sampling);
  if (whole) {
    EXPECT_EQ(r.got.reason, want.reason);
  } else {
    ASSERT_GE(want.tokens.size(), r.got.tokens.size());
    want.tokens.resize(r.got.tokens.size());
  }
  EXPECT_EQ(r.got.tokens, want.tokens);
}

// Streams come, draw, are taken away and end, in an order drawn from `seed`.
void run_mix(const Engine& engine, std::span<const std::shared_ptr<const LoraAdapter>> adapters,
             uint64_t seed, size_t streams, size_t longest) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  crypto::ChaChaRng rng(seed_of(seed).bytes);
  BatchGenerator batch(engine);
  std::map<StreamId, Running> running;
  size_t ended = 0;
  for (size_t added = 0; added < streams || !running.empty();) {
    while (added < streams && (running.empty() || rng.below(2) == 0)) {
      Running r;
      r.request = random_request(engine.config(), rng, adapters, longest);
      const StreamId id = batch.add(r.request);
      EXPECT_TRUE(running.emplace(id, std::move(r)).second);
      ++added;
    }
    for (const StreamEvent& event : batch.step()) {
      ASSERT_TRUE(running.contains(event.id));
      ASSERT_NE(event.token.has_value(), event.end.has_value());
      if (event.token) {
        running[event.id].got.tokens.push_back(*event.token);
        continue;
      }
      running[event.id].got.reason = *event.end;
      expect_as_alone(engine, running[event.id], true);
      running.erase(event.id);
      ++ended;
    }
    if (!running.empty() && rng.below(15) == 0) {
      const auto victim =
          std::next(running.begin(), static_cast<ptrdiff_t>(rng.below(running.size())));
      batch.remove(victim->first);
      expect_as_alone(engine, victim->second, false);
      running.erase(victim);
    }
    EXPECT_EQ(batch.active(), running.size());
  }
  EXPECT_GT(ended, 0u);
  EXPECT_EQ(batch.kv_bytes(), 0u);
}

TEST(BatchGenerator, StreamsGetWhatTheyGetAlone) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  std::vector<NumericPath> paths = supported_numeric_paths();
  paths.push_back(NumericPath::kQuantised);
  for (NumericPath path : paths) {
    for (const auto& folder : cases) {
      SCOPED_TRACE(folder.filename().string() + " on " + std::string(numeric_name(path)));
      const VectorCase c(folder);
      const Engine engine(c.model, {.numeric = path, .threads = 2});
      const std::vector<std::shared_ptr<const LoraAdapter>> adapters = {
          nullptr, random_adapter(engine.config(), 3, 1), random_adapter(engine.config(), 9, 2),
          random_adapter(engine.config(), 16, 3)};
      const size_t longest = std::min<size_t>(engine.config().max_position, 90);
      for (uint64_t seed = 0; seed < 3; ++seed) run_mix(engine, adapters, seed, 12, longest);
    }
  }
}

TEST(BatchGenerator, StreamsOfTheRealModelGetWhatTheyGetAlone) {
  const auto path = default_model_path();
  FFE_SKIP_WITHOUT_MODEL(path);
  const ModelFile model = ModelFile::open(path);
  ASSERT_EQ(generation_numeric_path(model), NumericPath::kQuantised);
  const Engine engine(model, {.numeric = NumericPath::kQuantised});
  const std::vector<std::shared_ptr<const LoraAdapter>> adapters = {
      nullptr, random_adapter(engine.config(), 8, 1), random_adapter(engine.config(), 8, 2)};
  run_mix(engine, adapters, 7, 8, 100);
}

// A prompt is read in pieces while others draw a token each step.
TEST(BatchGenerator, ALongPromptStallsNobody) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model);
  BatchGenerator batch(engine);
  StreamRequest quick{nullptr, {1}, {}};
  quick.sampling.max_new_tokens = 20;
  const StreamId first = batch.add(quick);
  EXPECT_EQ(batch.step().size(), 1u);
  StreamRequest slow{nullptr, std::vector<int32_t>(engine.config().max_position / 2, 1), {}};
  slow.sampling.max_new_tokens = 1;
  batch.add(slow);
  const size_t pieces = (slow.prompt.size() + 31) / 32;
  ASSERT_GT(pieces, 1u);
  for (size_t step = 1; step < pieces; ++step) {
    const auto events = batch.step();
    ASSERT_EQ(events.size(), 1u) << step;
    EXPECT_EQ(events[0].id, first);
  }
  EXPECT_EQ(batch.step().size(), 3u);  // a token each, and the end of the second
}

TEST(BatchGenerator, MemoryIsBoundedAndGivenBack) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model);
  const ModelConfig& config = engine.config();
  EXPECT_EQ(BatchGenerator::kv_bytes_per_token(config), 2 * 4 * config.layers * config.kv_size());
  StreamRequest request{random_adapter(config, 4, 1), {1, 2, 3}, {}};
  request.sampling.max_new_tokens = 6;
  BatchGenerator batch(engine);
  const StreamId id = batch.add(request);
  EXPECT_EQ(batch.kv_bytes(), 16 * BatchGenerator::kv_bytes_per_token(config));
  EXPECT_EQ(batch.kv_bytes(), BatchGenerator::kv_bytes(config, request));
  EXPECT_GT(request.adapter.use_count(), 1);
  batch.step();
  batch.remove(id);
  batch.remove(id);
  EXPECT_EQ(batch.active(), 0u);
  EXPECT_EQ(batch.kv_bytes(), 0u);
  EXPECT_EQ(request.adapter.use_count(), 1);
  EXPECT_TRUE(batch.step().empty());
  // However many tokens are asked for, the model's positions are the limit.
  request.sampling.max_new_tokens = size_t{1} << 60;
  EXPECT_LE(BatchGenerator::kv_bytes(config, request),
            (config.max_position + 15) * BatchGenerator::kv_bytes_per_token(config));
}

TEST(BatchGenerator, RefusesWhatItCannotRun) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model);
  const ModelConfig& config = engine.config();
  BatchGenerator batch(engine);
  const auto refusal = [&](StreamRequest request) {
    return testing::error_of([&] { batch.add(std::move(request)); });
  };
  EXPECT_NE(refusal({nullptr, {}, {}}).find("no tokens"), std::string::npos);
  EXPECT_NE(refusal({nullptr, {static_cast<int32_t>(config.vocab)}, {}}).find("vocabulary"),
            std::string::npos);
  EXPECT_NE(
      refusal({nullptr, std::vector<int32_t>(config.max_position + 1, 1), {}}).find("positions"),
      std::string::npos);
  StreamRequest hot{nullptr, {1}, {}};
  hot.sampling.temperature = -1;
  EXPECT_NE(refusal(hot).find("sampling"), std::string::npos);
  auto other = std::make_shared<LoraAdapter>(*random_adapter(config, 4, 2));
  other->modules.begin()->second.a.pop_back();
  EXPECT_NE(refusal({other, {1}, {}}).find("does not fit"), std::string::npos);
  EXPECT_EQ(batch.active(), 0u);
}

}  // namespace
}  // namespace ffe::lm
