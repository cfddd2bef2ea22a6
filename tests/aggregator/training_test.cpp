// The joint training on a small real model, and what a recipe becomes.
#include "aggregator/training.hpp"

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <numeric>

#include "aggregator/status.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "session/recipe.hpp"
#include "support/error_of.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

fs::path model_folder() {
  const char* set = std::getenv("FFE_VECTORS");
  return (set != nullptr ? fs::path(set) : fs::path(FFE_SOURCE_DIR) / ".." / "shared" / "vectors") /
         "lm" / "llama-tied";
}

#define FFE_NEED_MODEL()                                                                 \
  if (!fs::exists(model_folder())) {                                                     \
    GTEST_SKIP() << "NO VECTORS: set FFE_VECTORS (looked for " << model_folder() << ")"; \
  }                                                                                      \
  static_assert(true)

TEST(RecipeConversion, LoraTakesRankAlphaDropoutAndTargets) {
  session::Recipe recipe;
  recipe.rank = 4;
  recipe.alpha = 12;
  recipe.dropout_micro = 50'000;
  recipe.targets = {"q", "v", "down"};
  lm::LoraConfig config = fine_tune_recipe(recipe).lora;
  EXPECT_EQ(config.rank, 4u);
  EXPECT_EQ(config.alpha, 12);
  EXPECT_DOUBLE_EQ(config.dropout, 0.05);
  EXPECT_EQ(config.targets.count(), 3u);
  for (lm::Projection p : {lm::Projection::kQ, lm::Projection::kV, lm::Projection::kDown}) {
    EXPECT_TRUE(config.targets.test(static_cast<size_t>(p)));
  }
  EXPECT_EQ(fine_tune_recipe(session::Recipe{}).lora.targets, lm::kAllProjections);
}

TEST(RecipeConversion, OptimizerTakesRatesAndSchedule) {
  session::Recipe recipe;
  recipe.learning_rate_nano = 2'500'000;
  recipe.weight_decay_micro = 10'000;
  recipe.clip_micro = 500'000;
  recipe.schedule = "linear";
  recipe.warmup_steps = 5;
  lm::OptimizerConfig config = fine_tune_recipe(recipe).optimizer;
  EXPECT_DOUBLE_EQ(config.learning_rate, 2.5e-3);
  EXPECT_DOUBLE_EQ(config.weight_decay, 0.01);
  EXPECT_DOUBLE_EQ(config.clip, 0.5);
  EXPECT_EQ(config.schedule, lm::Schedule::kLinear);
  EXPECT_EQ(config.warmup_steps, 5u);
}

TEST(RecipeConversion, MicroNatsRoundDown) {
  EXPECT_EQ(to_micro_nats(0), 0);
  EXPECT_EQ(to_micro_nats(1.5), 1'500'000);
  EXPECT_EQ(to_micro_nats(1e-7), 0);
  EXPECT_EQ(to_micro_nats(-1e-7), -1);
}

class JointTrainingTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(model_folder())) return;
    lm::EngineOptions options;
    options.threads = 2;
    engine_ = new lm::Engine(lm::ModelFile::open(model_folder()), options);
  }
  static void TearDownTestSuite() {
    delete engine_;
    engine_ = nullptr;
  }

  // Counting modulo a number of its own: something to learn in every row.
  static std::vector<lm::Example> rows(size_t n) {
    std::vector<lm::Example> out(n);
    for (size_t i = 0; i < n; ++i) {
      out[i].tokens = {1};
      out[i].target = {0};
      for (size_t j = 0; j < 11 + i % 3; ++j) {
        out[i].tokens.push_back(static_cast<int32_t>(10 + (i + j) % 5));
        out[i].target.push_back(j > 2 ? 1 : 0);
      }
    }
    return out;
  }
  static session::Recipe recipe() {
    session::Recipe r;
    r.rank = 4;
    r.alpha = 8;
    r.learning_rate_nano = 10'000'000;
    r.warmup_steps = 2;
    r.dropout_micro = 100'000;
    r.epochs = 8;
    r.tokens_per_step = 64;
    r.sequence_length = 32;
    return r;
  }
  static crypto::ChaChaRng rng(uint8_t seed) { return crypto::ChaChaRng(Bytes(32, seed)); }

  static lm::Engine* engine_;
};
lm::Engine* JointTrainingTest::engine_ = nullptr;

TEST_F(JointTrainingTest, TheLossFallsAndEverythingIsCounted) {
  FFE_NEED_MODEL();
  std::vector<lm::Example> data = rows(16);
  uint64_t last = 0, total = 0, calls = 0;
  JointTraining out = train_joint(*engine_, recipe(), data, rng(1),
                                  [&](uint64_t d, uint64_t t, std::span<const int64_t> losses) {
                                    EXPECT_EQ(losses.size(), calls)
                                        << "the loss of each step so far";
                                    EXPECT_GE(d, last);
                                    last = d;
                                    total = t;
                                    ++calls;
                                  });
  uint64_t tokens = 0, targets = 0;
  for (const lm::Example& row : data) {
    tokens += row.tokens.size();
    targets += row.target_count();
  }
  EXPECT_EQ(out.tokens, 8 * tokens);
  EXPECT_EQ(out.target_tokens, 8 * targets);
  EXPECT_EQ(last, 8u * 16);
  EXPECT_EQ(total, 8u * 16);
  EXPECT_EQ(calls, out.loss_curve.size() + 1);
  // Rows of 12 to 14 tokens in steps of 64: at most five a step, so four steps or more an epoch.
  ASSERT_GE(out.loss_curve.size(), 8u * 4);
  auto mean = [&](size_t from) {
    return std::accumulate(out.loss_curve.begin() + static_cast<std::ptrdiff_t>(from),
                           out.loss_curve.begin() + static_cast<std::ptrdiff_t>(from) + 4,
                           int64_t{0}) /
           4;
  };
  EXPECT_LT(mean(out.loss_curve.size() - 4), mean(0) * 6 / 10);
  EXPECT_EQ(out.adapter.rank, 4u);

  std::vector<lm::EvalItem> items;
  for (const lm::Example& row : data) {
    items.push_back({nullptr, &row});
    items.push_back({&out.adapter, &row});
  }
  std::vector<float> losses = engine_->row_losses(items);
  for (size_t i = 0; i < losses.size(); i += 2) EXPECT_LT(losses[i + 1], losses[i]) << i / 2;
}

TEST_F(JointTrainingTest, TheSameSeedGivesTheSameBits) {
  FFE_NEED_MODEL();
  std::vector<lm::Example> data = rows(12);
  JointTraining first = train_joint(*engine_, recipe(), data, rng(1));
  JointTraining second = train_joint(*engine_, recipe(), data, rng(1));
  EXPECT_EQ(lm::peft_files(first.adapter, "card"), lm::peft_files(second.adapter, "card"));
  EXPECT_EQ(first.loss_curve, second.loss_curve);
  JointTraining other = train_joint(*engine_, recipe(), data, rng(2));
  EXPECT_NE(lm::peft_files(first.adapter, "card"), lm::peft_files(other.adapter, "card"));
}

TEST_F(JointTrainingTest, ARowLongerThanAStepGetsAStepOfItsOwn) {
  FFE_NEED_MODEL();
  session::Recipe r = recipe();
  r.epochs = 1;
  r.tokens_per_step = 8;
  r.sequence_length = 8;
  EXPECT_EQ(train_joint(*engine_, r, rows(5), rng(1)).loss_curve.size(), 5u);
}

TEST_F(JointTrainingTest, NoRowsAreRefused) {
  FFE_NEED_MODEL();
  EXPECT_EQ(test::error_of([] { train_joint(*engine_, recipe(), {}, rng(1)); }),
            "bad_input: no rows to train on");
}

// A contributor or an operator with another model than the terms name must notice.
TEST(ModelHash, AnAlteredFileIsNamed) {
  FFE_NEED_MODEL();
  TempDir folder("ffe-model");
  fs::copy(model_folder(), folder.path() / "model", fs::copy_options::recursive);
  fs::path model = folder.path() / "model";
  session::BaseModelManifest manifest = session::manifest_of(model, "tiny");
  EXPECT_NO_THROW(session::verify_model(manifest, model));
  fs::path weights = model / "model.safetensors";
  Bytes content = read_file(weights);
  content[content.size() / 2] ^= 1;
  write_file_atomic(weights, content);
  std::string error = test::error_of([&] { session::verify_model(manifest, model); });
  EXPECT_TRUE(error.starts_with("corrupt: ")) << error;
  EXPECT_NE(error.find("model.safetensors"), std::string::npos) << error;
  content.pop_back();
  write_file_atomic(weights, content);
  error = test::error_of([&] { session::verify_model(manifest, model); });
  EXPECT_NE(error.find("model.safetensors"), std::string::npos) << error;
}

TEST(StatusBoard, ShowsTheLastStageAndWhyItIsTriedAgain) {
  StatusBoard board;
  EXPECT_TRUE(board.session("7").is_null());
  EXPECT_EQ(board.all(), Json::object());
  board.stage("7", "training", 3, 10);
  board.stage("8", "waiting");
  Json seven = board.session("7");
  EXPECT_EQ(seven.at("stage"), "training");
  EXPECT_EQ(seven.at("done"), 3);
  EXPECT_EQ(seven.at("total"), 10);
  EXPECT_GT(seven.at("updated").get<int64_t>(), 0);
  EXPECT_FALSE(seven.contains("error"));
  EXPECT_FALSE(seven.contains("lossCurve"));
  board.losses("7", std::vector<int64_t>{5'000'000, 4'000'000});
  board.stage("7", "training", 4, 10);
  EXPECT_EQ(board.session("7").at("lossCurve"), Json({5'000'000, 4'000'000}));
  EXPECT_FALSE(board.all().at("7").contains("lossCurve"));
  board.error("7", "the storage does not answer");
  EXPECT_EQ(board.session("7").at("error"), "the storage does not answer");
  EXPECT_EQ(board.session("7").at("stage"), "training");
  board.stage("7", "done");
  EXPECT_FALSE(board.session("7").contains("error"));
  EXPECT_EQ(board.all().size(), 2u);
  EXPECT_EQ(board.all().at("8").at("stage"), "waiting");
}

}  // namespace
}  // namespace ffe::aggregator
