// The engine against vectors of transformers and PEFT.
#include "lm/engine.hpp"

#include <gtest/gtest.h>

#include "lm/engine_vectors.hpp"
#include "lm/generate.hpp"
#include "lm/trainer.hpp"

namespace ffe::lm {
namespace {

using testing::relative_distance;
using testing::VectorCase;

struct Tolerance {
  double logits, loss, gradient, step_loss, matrices;
};

Tolerance tolerance_of(NumericPath path) {
  if (path == NumericPath::kF32) return {2e-4, 1e-5, 1e-4, 1e-4, 1e-3};
  return {1e-1, 2e-2, 5e-2, 5e-2, 1.0};
}

void check_losses(const Engine& engine, const VectorCase& c, const LoraAdapter* adapter,
                  const char* name, double tolerance) {
  const std::vector<float> losses = engine.row_losses(c.items(adapter));
  const auto expected = c.json[name].get<std::vector<double>>();
  ASSERT_EQ(losses.size(), expected.size());
  for (size_t i = 0; i < losses.size(); ++i) {
    // The rounding of bf16 averages out over a row; a row of two or three answers has too few.
    const bool few = tolerance > 1e-3 && c.examples[i].target_count() < 4;
    EXPECT_NEAR(losses[i], expected[i], few ? 1.5 * tolerance : tolerance) << name << " row " << i;
  }
}

void check_logits(const Engine& engine, const VectorCase& c, double tolerance) {
  for (size_t i = 0; i < c.examples.size(); ++i) {
    const std::vector<float> want = c.tensors.read_f32("logits." + std::to_string(i));
    const std::vector<float> got = engine.logits(c.examples[i].tokens, nullptr);
    ASSERT_EQ(got.size(), want.size());
    double worst = 0;
    for (size_t k = 0; k < got.size(); ++k) {
      worst = std::max(worst, std::abs(double{got[k]} - want[k]));
    }
    EXPECT_LE(worst, tolerance) << "row " << i;
  }
}

void check_gradient(const Engine& engine, const VectorCase& c, const Tolerance& t) {
  MultiTrainer trainer(engine);
  const uint32_t index = trainer.add(c.adapter("init"), c.optimizer());
  std::vector<const Example*> examples;
  for (const Example& example : c.examples) examples.push_back(&example);
  const MultiTrainer::Gradient got = trainer.gradient(index, examples);
  const LoraAdapter want = c.adapter("grad");
  EXPECT_NEAR(got.loss, c.json["loss"].get<double>(), t.loss);
  for (const auto& [name, m] : want.modules) {
    EXPECT_LE(relative_distance(got.matrices.modules.at(name).a, m.a), t.gradient) << name << " A";
    EXPECT_LE(relative_distance(got.matrices.modules.at(name).b, m.b), t.gradient) << name << " B";
  }
}

LoraAdapter check_training(const Engine& engine, const VectorCase& c, const Tolerance& t) {
  MultiTrainer trainer(engine);
  const uint32_t index = trainer.add(c.adapter("init"), c.optimizer());
  const Json& steps = c.json["train"]["steps"];
  for (size_t s = 0; s < steps.size(); ++s) {
    std::vector<TrainItem> items;
    for (size_t i = s % 2 == 0 ? 0 : 4; i < (s % 2 == 0 ? 4u : 8u); ++i) {
      items.push_back({index, &c.examples[i]});
    }
    const StepResult result = trainer.step(items).at(0);
    EXPECT_NEAR(result.learning_rate, steps[s]["lr"].get<double>(), 1e-9) << "step " << s;
    EXPECT_NEAR(result.loss, steps[s]["loss"].get<double>(), t.step_loss) << "step " << s;
    if (t.gradient < 1e-3) {
      const double norm = steps[s]["grad_norm"].get<double>();
      EXPECT_NEAR(result.gradient_norm, norm, 1e-3 * norm) << "step " << s;
    }
  }
  const LoraAdapter got = trainer.adapter(index);
  const LoraAdapter want = c.adapter("final");
  for (const auto& [name, m] : want.modules) {
    EXPECT_LE(relative_distance(got.modules.at(name).a, m.a), t.matrices) << name << " A";
    EXPECT_LE(relative_distance(got.modules.at(name).b, m.b), t.matrices) << name << " B";
  }
  return got;
}

void check_greedy(const Engine& engine, const VectorCase& c, const LoraAdapter& adapter) {
  Generator generator(engine, &adapter);
  const Json& greedy = c.json["greedy"];
  SamplingOptions options;
  const auto want = greedy["continuation"].get<std::vector<int32_t>>();
  options.max_new_tokens = want.size();
  EXPECT_EQ(generator.generate(greedy["prompt"].get<std::vector<int32_t>>(), options).tokens, want);
}

void check_case(const std::filesystem::path& folder, NumericPath path) {
  SCOPED_TRACE(folder.filename().string() + " on " + std::string(numeric_name(path)));
  const VectorCase c(folder);
  const Engine engine(c.model, {.numeric = path});
  const Tolerance t = tolerance_of(path);
  check_logits(engine, c, t.logits);
  check_losses(engine, c, nullptr, "row_loss_base", t.loss);
  const LoraAdapter start = c.adapter("init");
  check_losses(engine, c, &start, "row_loss_lora", t.loss);
  check_gradient(engine, c, t);
  const LoraAdapter trained = check_training(engine, c, t);
  if (path != NumericPath::kF32) return;
  check_losses(engine, c, &trained, "row_loss_final", 1e-3);
  const LoraAdapter final = c.adapter("final");
  check_losses(engine, c, &final, "row_loss_final", t.loss);
  check_greedy(engine, c, final);
}

TEST(Engine, AgreesWithTransformersAndPeft) {
  const auto cases = testing::vector_cases();
  if (cases.empty()) GTEST_SKIP() << "no vectors: set FFE_VECTORS";
  for (NumericPath path : supported_numeric_paths()) {
    for (const auto& folder : cases) check_case(folder, path);
  }
}

}  // namespace
}  // namespace ffe::lm
