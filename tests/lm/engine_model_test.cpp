// The real model against transformers and PEFT; skipped where the model or the vectors are absent.
#include <gtest/gtest.h>

#include "lm/engine_vectors.hpp"
#include "lm/generate.hpp"

namespace ffe::lm {
namespace {

using testing::vector_roots;

struct RealModel {
  Json json;
  std::unique_ptr<Engine> engine;
  std::vector<Example> examples;
};

void check_losses(const RealModel& m) {
  std::vector<EvalItem> items;
  for (const Example& example : m.examples) items.push_back({nullptr, &example});
  const std::vector<float> losses = m.engine->row_losses(items);
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], m.json["rows"][i]["loss"].get<double>(), 2e-4) << i;
  }
}

void check_last_logits(const RealModel& m) {
  const Json& row = m.json["rows"][0];
  const std::vector<float> logits = m.engine->logits(m.examples[0].tokens, nullptr);
  const size_t vocab = m.engine->config().vocab;
  for (const Json& pair : row["last_top5"]) {
    EXPECT_NEAR(logits[logits.size() - vocab + pair[0].get<size_t>()], pair[1].get<double>(), 2e-3);
  }
}

void check_greedy(const RealModel& m, const Engine& engine) {
  const Json& greedy = m.json["greedy"];
  const auto want = greedy["continuation"].get<std::vector<int32_t>>();
  SamplingOptions options;
  options.max_new_tokens = want.size();
  Generator generator(engine);
  EXPECT_EQ(generator.generate(greedy["prompt_ids"].get<std::vector<int32_t>>(), options).tokens,
            want);
}

void check_gradient_norms(const RealModel& m) {
  const Json& lora = m.json["lora"];
  LoraAdapter adapter =
      make_adapter(m.engine->config(),
                   {.rank = lora["r"].get<uint32_t>(), .alpha = lora["alpha"].get<double>()}, {});
  for (auto& [name, x] : adapter.modules) {
    for (size_t k = 0; k < x.a.size(); ++k) x.a[k] = static_cast<float>(0.02 * std::sin(k + 1.0));
    for (size_t k = 0; k < x.b.size(); ++k) x.b[k] = static_cast<float>(0.02 * std::cos(k + 1.0));
  }
  MultiTrainer trainer(*m.engine);
  trainer.add(adapter, {.schedule = Schedule::kConstant});
  std::vector<const Example*> rows;
  for (const Example& example : m.examples) rows.push_back(&example);
  const MultiTrainer::Gradient gradient = trainer.gradient(0, rows);
  EXPECT_NEAR(gradient.loss, lora["loss"].get<double>(), 2e-4);
  for (const auto& [name, want] : lora["grad_l2"].items()) {
    const size_t at = name.find(".lora_");
    const LoraMatrices& g = gradient.matrices.modules.at(name.substr(0, at));
    double squares = 0;
    for (float x : name[at + 6] == 'A' ? g.a : g.b) squares += double{x} * x;
    EXPECT_NEAR(std::sqrt(squares), want.get<double>(), 1e-3 * want.get<double>()) << name;
  }
}

// One test, because loading the model takes longer than any of the checks.
TEST(RealModel, AgreesWithTransformersAndPeft) {
  const std::filesystem::path path = default_model_path();
  if (path.empty() || !std::filesystem::exists(path)) GTEST_SKIP() << "no model: set FFE_MODEL";
  RealModel m;
  for (const auto& root : vector_roots()) {
    const auto file = root / "smollm2-135m-q4_1.json";
    if (std::filesystem::exists(file)) m.json = parse_json(read_text_file(file), file.string());
  }
  if (m.json.is_null()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  m.engine = std::make_unique<Engine>(ModelFile::open(path));
  for (const Json& row : m.json["rows"]) {
    Example example;
    example.tokens = row["ids"].get<std::vector<int32_t>>();
    example.target.assign(example.tokens.size(), 1);
    std::fill_n(example.target.begin(), row["prompt_tokens"].get<size_t>(), uint8_t{0});
    m.examples.push_back(example);
  }
  check_losses(m);
  check_last_logits(m);
  check_greedy(m, *m.engine);
  check_greedy(m, Engine(ModelFile::open(path), {.numeric = NumericPath::kQuantised}));
  check_gradient_norms(m);
}

}  // namespace
}  // namespace ffe::lm
