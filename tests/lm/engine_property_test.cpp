// What must not change a result: packing, shared prefixes, neighbours, micro-batches, threads.
#include <gtest/gtest.h>

#include "crypto/random.hpp"
#include "lm/engine.hpp"
#include "lm/engine_vectors.hpp"
#include "lm/plan.hpp"
#include "lm/trainer.hpp"

namespace ffe::lm {
namespace {

using testing::relative_distance;
using testing::VectorCase;

// Every numeric path on every small model.
template <class Check>
void on_every_case(Check check) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  for (NumericPath path : supported_numeric_paths()) {
    for (const auto& folder : cases) {
      SCOPED_TRACE(folder.filename().string() + " on " + std::string(numeric_name(path)));
      check(VectorCase(folder), path);
    }
  }
}

H256 seed_of(uint8_t n) {
  H256 seed;
  seed[0] = n;
  return seed;
}

// Adapters whose B is not zero, so that gradients of A are not either.
LoraAdapter random_adapter(const ModelConfig& config, const LoraConfig& lora, uint8_t seed) {
  LoraAdapter adapter = make_adapter(config, lora, seed_of(seed));
  crypto::ChaChaRng rng(seed_of(static_cast<uint8_t>(seed + 100)).bytes);
  for (auto& [name, m] : adapter.modules) {
    for (float& b : m.b) b = static_cast<float>((rng.uniform01() - 0.5) * 0.1);
  }
  return adapter;
}

// Rows with beginnings in common: three questions, several answers each, one of them twice.
std::vector<Example> related_rows(const ModelConfig& config) {
  crypto::ChaChaRng rng(seed_of(9).bytes);
  const auto draw = [&](size_t n) {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(rng.below(config.vocab)));
    return ids;
  };
  const std::vector<int32_t> common = draw(4);
  std::vector<Example> rows;
  for (size_t question = 0; question < 3; ++question) {
    std::vector<int32_t> prompt = common;
    for (int32_t id : draw(5 + question)) prompt.push_back(id);
    for (size_t answer = 0; answer < 3; ++answer) {
      Example row;
      row.tokens = prompt;
      for (int32_t id : draw(3 + 20 * answer)) row.tokens.push_back(id);
      row.target.assign(row.tokens.size(), 0);
      std::fill(row.target.begin() + static_cast<ptrdiff_t>(prompt.size()), row.target.end(),
                uint8_t{1});
      rows.push_back(row);
    }
  }
  rows.push_back(rows[4]);
  return rows;
}

std::vector<const Example*> pointers(const std::vector<Example>& rows) {
  std::vector<const Example*> result;
  for (const Example& row : rows) result.push_back(&row);
  return result;
}

void expect_close(const LoraAdapter& got, const LoraAdapter& want, double tolerance) {
  for (const auto& [name, m] : want.modules) {
    EXPECT_LE(relative_distance(got.modules.at(name).a, m.a), tolerance) << name << " A";
    EXPECT_LE(relative_distance(got.modules.at(name).b, m.b), tolerance) << name << " B";
  }
}

TEST(EngineProperty, LossesDoNotDependOnPackingOrSharing) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    const std::vector<Example> rows = related_rows(c.model.config());
    const LoraAdapter first = random_adapter(c.model.config(), {.rank = 4}, 1);
    const LoraAdapter second = random_adapter(c.model.config(), {.rank = 12}, 2);
    std::vector<EvalItem> items;
    for (const Example& row : rows) {
      for (const LoraAdapter* adapter :
           {static_cast<const LoraAdapter*>(nullptr), &first, &second}) {
        items.push_back({adapter, &row});
      }
    }
    const Engine together(c.model, {.numeric = path});
    const Engine apart(c.model, {.numeric = path, .eval_tokens = 40, .share_prefixes = false});
    const std::vector<float> packed = together.row_losses(items);
    EXPECT_EQ(packed, apart.row_losses(items));
    for (size_t i = 0; i < items.size(); ++i) {
      EXPECT_EQ(packed[i], together.row_losses({&items[i], 1})[0]) << i;
    }
  });
}

TEST(EngineProperty, GradientsDoNotDependOnPackingOrSharing) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    const std::vector<Example> rows = related_rows(c.model.config());
    const LoraAdapter start = random_adapter(c.model.config(), {.rank = 5}, 1);
    const auto gradient = [&](EngineOptions options) {
      options.numeric = path;
      const Engine engine(c.model, options);
      MultiTrainer trainer(engine);
      trainer.add(start, {.schedule = Schedule::kConstant});
      return trainer.gradient(0, pointers(rows));
    };
    const auto shared = gradient({});
    const auto unshared = gradient({.share_prefixes = false});
    const auto micro = gradient({.train_tokens = 1});
    // The order of additions differs, and on a bf16 path where gradients are rounded.
    const double tolerance = path == NumericPath::kF32 ? 2e-6 : 2e-2;
    EXPECT_NEAR(shared.loss, unshared.loss, 1e-6);
    EXPECT_NEAR(shared.loss, micro.loss, 1e-6);
    expect_close(shared.matrices, unshared.matrices, tolerance);
    expect_close(micro.matrices, unshared.matrices, tolerance);
  });
}

struct Trained {
  std::vector<LoraAdapter> adapters;
  std::vector<double> losses;
  bool operator==(const Trained&) const = default;
};

// Three steps of adapters that differ in rank, targets and rows.
Trained train(const VectorCase& c, EngineOptions options, std::vector<uint32_t> which) {
  const std::vector<Example> rows = related_rows(c.model.config());
  const Engine engine(c.model, options);
  MultiTrainer trainer(engine);
  std::vector<TrainItem> items[3];
  for (uint32_t w : which) {
    LoraConfig lora;
    lora.rank = 3 + 5 * w;
    lora.dropout = w == 2 ? 0.1 : 0;
    if (w == 1) lora.targets = ProjectionSet{0b0100101};
    const uint32_t index = trainer.add(
        random_adapter(c.model.config(), lora, static_cast<uint8_t>(10 + w)),
        {.learning_rate = 1e-2, .weight_decay = 0.1, .warmup_steps = 1, .total_steps = 3},
        seed_of(static_cast<uint8_t>(w)));
    for (size_t step = 0; step < 3; ++step) {
      for (size_t i = w; i < rows.size(); i += 1 + (step + w) % 3) {
        items[step].push_back({index, &rows[i]});
      }
    }
  }
  Trained result;
  for (const auto& of_step : items) {
    for (const StepResult& r : trainer.step(of_step)) result.losses.push_back(r.loss);
  }
  for (uint32_t i = 0; i < which.size(); ++i) result.adapters.push_back(trainer.adapter(i));
  return result;
}

TEST(EngineProperty, TogetherEqualsAloneBitForBit) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    const EngineOptions options{.numeric = path, .train_tokens = 100};
    const Trained together = train(c, options, {0, 1, 2});
    for (uint32_t w = 0; w < 3; ++w) {
      const Trained alone = train(c, options, {w});
      EXPECT_EQ(together.adapters[w], alone.adapters[0]) << w;
    }
  });
}

TEST(EngineProperty, ThreadsDoNotChangeABit) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    const Trained one = train(c, {.numeric = path, .threads = 1}, {0, 1, 2});
    EXPECT_EQ(one, train(c, {.numeric = path, .threads = 2}, {0, 1, 2}));
    EXPECT_EQ(one, train(c, {.numeric = path, .threads = 5}, {0, 1, 2}));
  });
}

TEST(EngineProperty, CheckpointContinuesWithTheSameBits) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    const Engine engine(c.model, {.numeric = path});
    const std::vector<Example> rows = related_rows(c.model.config());
    const auto items_of = [&](size_t step) {
      std::vector<TrainItem> items;
      for (uint32_t a = 0; a < 2; ++a) {
        for (size_t i = step % 2; i < rows.size(); i += 2) items.push_back({a, &rows[i]});
      }
      return items;
    };
    MultiTrainer trainer(engine);
    for (uint8_t a = 0; a < 2; ++a) {
      trainer.add(random_adapter(c.model.config(), {.rank = 4, .dropout = 0.2 * a}, a),
                  {.weight_decay = 0.01, .warmup_steps = 2, .total_steps = 6}, seed_of(a));
    }
    for (size_t step = 0; step < 3; ++step) trainer.step(items_of(step));
    const Bytes saved = trainer.checkpoint();
    MultiTrainer resumed = MultiTrainer::restore(engine, saved);
    EXPECT_EQ(resumed.checkpoint(), saved);
    for (size_t step = 3; step < 6; ++step) {
      trainer.step(items_of(step));
      resumed.step(items_of(step));
    }
    EXPECT_EQ(trainer.checkpoint(), resumed.checkpoint());
  });
}

TEST(EngineProperty, AlteredCheckpointIsRefused) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model);
  MultiTrainer trainer(engine);
  trainer.add(make_adapter(c.model.config(), {}, {}), {.schedule = Schedule::kConstant});
  const Bytes saved = trainer.checkpoint();
  for (size_t at = 0; at < saved.size(); at += saved.size() / 50 + 1) {
    Bytes altered = saved;
    altered[at] ^= 1;
    EXPECT_THROW(MultiTrainer::restore(engine, altered), Error) << at;
    EXPECT_THROW(MultiTrainer::restore(engine, ByteView(saved).first(at)), Error) << at;
  }
}

// The gradient along a direction against the difference of losses.
TEST(EngineProperty, GradientsAgreeWithFiniteDifferences) {
  on_every_case([](const VectorCase& c, NumericPath path) {
    if (path != NumericPath::kF32) return;
    const Engine engine(c.model);
    const std::vector<Example> rows = related_rows(c.model.config());
    LoraAdapter start = random_adapter(c.model.config(), {.rank = 3, .alpha = 6}, 1);
    MultiTrainer trainer(engine);
    trainer.add(start, {.schedule = Schedule::kConstant});
    const auto gradient = trainer.gradient(0, pointers(rows));
    const auto loss_at = [&](const std::string& module, bool of_a, double step) {
      LoraAdapter moved = start;
      const LoraMatrices& g = gradient.matrices.modules.at(module);
      std::vector<float>& m = of_a ? moved.modules[module].a : moved.modules[module].b;
      const std::vector<float>& direction = of_a ? g.a : g.b;
      double norm = 0;
      for (float d : direction) norm += double{d} * d;
      for (size_t i = 0; i < m.size(); ++i) {
        m[i] += static_cast<float>(step * direction[i] / std::sqrt(norm));
      }
      MultiTrainer probe(engine);
      probe.add(moved, {.schedule = Schedule::kConstant});
      return probe.gradient(0, pointers(rows)).loss;
    };
    for (size_t p = 0; p < kProjections; ++p) {
      for (uint32_t layer : {0u, c.model.config().layers - 1}) {
        const std::string module = projection_module(layer, static_cast<Projection>(p));
        for (bool of_a : {true, false}) {
          const LoraMatrices& g = gradient.matrices.modules.at(module);
          double norm = 0;
          for (float d : of_a ? g.a : g.b) norm += double{d} * d;
          norm = std::sqrt(norm);
          const double h = 0.02;
          const double slope = (loss_at(module, of_a, h) - loss_at(module, of_a, -h)) / (2 * h);
          EXPECT_NEAR(slope, norm, 2e-2 * norm + 2e-5) << module << (of_a ? " A" : " B");
        }
      }
    }
  });
}

TEST(EngineProperty, HostileInputIsRefused) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  const VectorCase c(cases.front());
  const Engine engine(c.model);
  const auto refused = [&](Example example) {
    const EvalItem item{nullptr, &example};
    EXPECT_THROW(engine.row_losses({&item, 1}), Error);
  };
  refused({{}, {}});
  refused({{1, -1}, {0, 1}});
  refused({{1, static_cast<int32_t>(c.model.config().vocab)}, {0, 1}});
  refused({{1, 2}, {1, 1}});
  refused({{1, 2}, {0}});
  const size_t long_row = c.model.config().max_position + 1;
  refused({std::vector<int32_t>(long_row, 1), std::vector<uint8_t>(long_row, 0)});
  const Example no_target{{1, 2, 3}, {0, 0, 0}};
  const EvalItem item{nullptr, &no_target};
  EXPECT_TRUE(std::isnan(engine.row_losses({&item, 1})[0]));
  MultiTrainer trainer(engine);
  LoraAdapter adapter = make_adapter(c.model.config(), {}, {});
  trainer.add(adapter, {.schedule = Schedule::kConstant});
  const TrainItem nothing{0, &no_target};
  EXPECT_THROW(trainer.step({&nothing, 1}), Error);
  const TrainItem stranger{7, &c.examples[0]};
  EXPECT_THROW(trainer.step({&stranger, 1}), Error);
  adapter.modules.begin()->second.a.pop_back();
  EXPECT_THROW(trainer.add(adapter, {.schedule = Schedule::kConstant}), Error);
}

}  // namespace
}  // namespace ffe::lm
