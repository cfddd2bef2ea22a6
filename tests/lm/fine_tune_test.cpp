// The fine-tuning job: the plan, the schedules, equal bits however it is cut, and its checkpoints.
#include "lm/fine_tune.hpp"

#include <gtest/gtest.h>
#include <limits>
#include <numeric>

#include "lm/adapter_file.hpp"
#include "lm/fine_tune_state.hpp"
#include "support/error_of.hpp"
#include "support/tiny_model.hpp"

namespace ffe::lm {
namespace {

namespace fs = std::filesystem;

Example example(size_t length, int32_t salt) {
  Example e;
  for (size_t i = 0; i < length; ++i) {
    e.tokens.push_back(static_cast<int32_t>(40 + (i * 7 + static_cast<size_t>(salt)) % 60));
    e.target.push_back(i > 2 ? 1 : 0);
  }
  return e;
}

std::vector<Example> rows(size_t n) {
  std::vector<Example> out;
  for (size_t i = 0; i < n; ++i) out.push_back(example(8 + i % 5, static_cast<int32_t>(i)));
  return out;
}

FineTuneRecipe recipe() {
  FineTuneRecipe r;
  r.lora = {.rank = 4, .alpha = 8, .dropout = 0.1};
  r.optimizer = {.learning_rate = 1e-2, .weight_decay = 0.01};
  r.warmup_share = 0.2;
  r.epochs = 2;
  r.tokens_per_step = 32;
  return r;
}

crypto::ChaChaRng rng(uint8_t seed = 1) {
  return crypto::ChaChaRng(Bytes(32, seed));
}

class FineTuneTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempDir("ffe-fine-tune");
    test::write_tiny_model(folder_->path());
    one_ = new Engine(ModelFile::open(folder_->path()), {.threads = 1});
    two_ = new Engine(ModelFile::open(folder_->path()), {.threads = 2});
  }
  static void TearDownTestSuite() {
    delete one_;
    delete two_;
    delete folder_;
  }

  fs::path checkpoint() const { return temp_.path() / "checkpoint"; }

  static TempDir* folder_;
  static Engine* one_;  // on one thread
  static Engine* two_;  // on two
  TempDir temp_{"ffe-fine-tune-run"};
};
TempDir* FineTuneTest::folder_ = nullptr;
Engine* FineTuneTest::one_ = nullptr;
Engine* FineTuneTest::two_ = nullptr;

TEST(StepPlan, EveryEpochHasEveryRowOnceAndFitsTheBudget) {
  std::vector<Example> data = rows(23);
  data.push_back(example(2, 0));    // no target
  data.push_back(example(100, 1));  // longer than a step
  crypto::ChaChaRng draws = rng();
  const StepPlan plan = plan_steps(data, 3, 40, draws);
  std::vector<size_t> seen;
  for (const std::vector<size_t>& step : plan) {
    size_t tokens = 0;
    for (size_t i : step) tokens += data[i].tokens.size();
    EXPECT_TRUE(tokens <= 40 || step.size() == 1) << tokens;
    seen.insert(seen.end(), step.begin(), step.end());
  }
  ASSERT_EQ(seen.size(), 3u * 24);
  std::vector<size_t> first(seen.begin(), seen.begin() + 24);
  std::vector<size_t> second(seen.begin() + 24, seen.begin() + 48);
  EXPECT_NE(first, second) << "epochs are shuffled anew";
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<size_t> part(seen.begin() + 24 * epoch, seen.begin() + 24 * (epoch + 1));
    std::sort(part.begin(), part.end());
    std::vector<size_t> all(23);
    std::iota(all.begin(), all.end(), size_t{0});
    all.push_back(24);
    EXPECT_EQ(part, all);
  }
}

TEST_F(FineTuneTest, TheScheduleIsThatOfTheRecipe) {
  const std::vector<Example> data = rows(12);
  for (Schedule schedule : {Schedule::kConstant, Schedule::kLinear, Schedule::kCosine}) {
    FineTuneRecipe r = recipe();
    r.optimizer.schedule = schedule;
    FineTune tuning(*one_, r, data, rng());
    tuning.run({});
    const auto steps = static_cast<double>(tuning.steps_total());
    EXPECT_EQ(tuning.optimizer().total_steps, tuning.steps_total());
    EXPECT_EQ(tuning.optimizer().warmup_steps, static_cast<uint32_t>(std::ceil(0.2 * steps)));
    for (const StepResult& s : tuning.history()) {
      EXPECT_DOUBLE_EQ(s.learning_rate, learning_rate_at(tuning.optimizer(), s.step));
      EXPECT_LE(s.learning_rate, 1e-2);
    }
    const double last = tuning.history().back().learning_rate;
    EXPECT_EQ(last < 1e-2, schedule != Schedule::kConstant);
  }
}

TEST_F(FineTuneTest, ThreadsAndEvaluationsChangeNoBit) {
  const std::vector<Example> data = rows(20);
  const std::vector<Example> held_out = rows(4);
  FineTune a(*one_, recipe(), data, rng());
  FineTune b(*two_, recipe(), data, rng());
  a.run({});
  FineTuneRun with_evaluations;
  with_evaluations.held_out = held_out;
  with_evaluations.evaluate_every = 2;
  b.run(with_evaluations);
  EXPECT_EQ(peft_files(a.adapter(), ""), peft_files(b.adapter(), ""));
  EXPECT_TRUE(a.evaluations().empty());
  FineTune other(*one_, recipe(), data, rng(2));
  other.run({});
  EXPECT_NE(peft_files(a.adapter(), ""), peft_files(other.adapter(), ""));
}

TEST_F(FineTuneTest, TheLossFallsAndEvaluationsSeeIt) {
  const std::vector<Example> data = rows(20);
  FineTuneRecipe r = recipe();
  r.epochs = 6;
  FineTune tuning(*two_, r, data, rng());
  FineTuneRun run;
  run.held_out = data;
  std::vector<Evaluation> told;
  run.on_evaluation = [&](const Evaluation& e) { told.push_back(e); };
  tuning.run(run);
  // Before the first step and after each epoch.
  ASSERT_EQ(tuning.evaluations().size(), 7u);
  EXPECT_EQ(told, tuning.evaluations());
  EXPECT_EQ(told.front().step, 0u);
  EXPECT_EQ(told.back().step, tuning.steps_total());
  EXPECT_LT(told.back().loss, told.front().loss - 0.3);
  EXPECT_EQ(tuning.epoch_of(0), 0u);
  EXPECT_EQ(tuning.epoch_of(tuning.steps_total() - 1), 5u);
}

// Stopped after every step in turn, and resumed on another number of threads.
TEST_F(FineTuneTest, ResumedAtAnyStepItEndsWithTheSameBits) {
  const std::vector<Example> data = rows(12);
  const std::vector<Example> held_out = rows(3);
  FineTuneRun plain;
  plain.held_out = held_out;
  FineTune whole(*one_, recipe(), data, rng());
  whole.set_identity({{"data", "rows"}});
  whole.run(plain);
  ASSERT_GE(whole.steps_total(), 6u);
  for (uint64_t stop = 0; stop < whole.steps_total(); ++stop) {
    FineTune first(*two_, recipe(), data, rng());
    first.set_identity({{"data", "rows"}});
    FineTuneRun until = plain;
    until.checkpoint = checkpoint();
    until.on_step = [&](const StepResult& s) {
      if (s.step == stop) throw Error(ErrorCode::kInterrupted, "interrupted");
    };
    EXPECT_EQ(test::error_of([&] { first.run(until); }), "interrupted: interrupted");
    FineTune second(*one_, recipe(), data, rng());
    second.set_identity({{"data", "rows"}});
    second.restore(read_file(checkpoint()));
    EXPECT_EQ(second.steps_done(), stop + 1);
    second.run(plain);
    EXPECT_EQ(peft_files(second.adapter(), ""), peft_files(whole.adapter(), "")) << stop;
    EXPECT_EQ(second.evaluations(), whole.evaluations()) << stop;
    ASSERT_EQ(second.history().size(), whole.history().size());
    for (size_t s = 0; s < whole.history().size(); ++s) {
      EXPECT_EQ(second.history()[s].loss, whole.history()[s].loss);
    }
  }
}

TEST_F(FineTuneTest, ACheckpointOfAnotherJobIsRefusedByName) {
  const std::vector<Example> data = rows(6);
  FineTune first(*one_, recipe(), data, rng());
  first.set_identity({{"model", {{"name", "a"}}}, {"recipe", {{"rank", 4}, {"seed", 1}}}});
  first.step();
  const Bytes saved = first.checkpoint();
  const auto refusal = [&](Json identity) {
    FineTune second(*one_, recipe(), data, rng());
    second.set_identity(std::move(identity));
    return test::error_of([&] { second.restore(saved); });
  };
  const std::string other = "usage: the checkpoint is of another training: ";
  EXPECT_EQ(refusal({{"model", {{"name", "b"}}}, {"recipe", {{"rank", 4}, {"seed", 1}}}}),
            other + "model.name was a and is now b");
  EXPECT_EQ(refusal({{"model", {{"name", "a"}}}, {"recipe", {{"rank", 8}, {"seed", 1}}}}),
            other + "recipe.rank was 4 and is now 8");
  EXPECT_EQ(refusal({{"model", {{"name", "a"}}}, {"recipe", {{"rank", 4}}}}),
            other + "recipe.seed was 1 and is now nothing");
}

TEST_F(FineTuneTest, ABrokenCheckpointIsNamed) {
  const std::vector<Example> data = rows(6);
  FineTune tuning(*one_, recipe(), data, rng());
  tuning.step();
  const Bytes saved = tuning.checkpoint();
  const auto refusal = [&](const Bytes& bytes) {
    FineTune other(*one_, recipe(), data, rng());
    return test::error_of([&] { other.restore(bytes); });
  };
  EXPECT_EQ(refusal({}), "bad_input: checkpoint: not a checkpoint of this program");
  for (size_t at : {size_t{0}, size_t{9}, size_t{40}, saved.size() / 2, saved.size() - 1}) {
    Bytes changed = saved;
    changed[at] ^= 1;
    EXPECT_FALSE(refusal(changed).empty()) << at;
    EXPECT_FALSE(refusal({saved.begin(), saved.begin() + static_cast<ptrdiff_t>(at)}).empty())
        << at;
  }
  // Whole, but its history and its optimiser disagree.
  FineTuneState state = read_fine_tune_checkpoint(saved);
  state.history.clear();
  EXPECT_EQ(refusal(write_fine_tune_checkpoint(state)),
            "bad_input: checkpoint: its step count is not that of its history");
}

TEST_F(FineTuneTest, AFolderThatCannotBeWrittenShowsBeforeAnyWork) {
  const std::vector<Example> data = rows(6);
  FineTune tuning(*one_, recipe(), data, rng());
  FineTuneRun run;
  run.checkpoint = temp_.path() / "absent" / "checkpoint";
  EXPECT_TRUE(test::error_of([&] { tuning.run(run); }).starts_with("io: cannot write "));
  EXPECT_EQ(tuning.steps_done(), 0u);
}

TEST_F(FineTuneTest, ALossThatIsNotFiniteEndsIt) {
  const std::vector<Example> data = rows(12);
  FineTuneRecipe r = recipe();
  r.optimizer.learning_rate = 1e30;
  r.optimizer.clip = 0;
  r.warmup_share = 0.0;
  FineTune tuning(*one_, r, data, rng());
  FineTuneRun run;
  run.checkpoint = checkpoint();
  const std::string error = test::error_of([&] { tuning.run(run); });
  EXPECT_TRUE(error.ends_with(": the loss is not finite")) << error;
  // What was saved before is whole.
  FineTune again(*one_, r, data, rng());
  again.restore(read_file(checkpoint()));
  EXPECT_EQ(again.steps_done(), 0u);
}

TEST_F(FineTuneTest, NothingToLearnIsRefused) {
  EXPECT_EQ(test::error_of([] { FineTune t(*one_, recipe(), {}, rng()); }),
            "bad_input: no rows to train on");
  const std::vector<Example> untargeted = {example(2, 0)};
  EXPECT_EQ(test::error_of([&] { FineTune t(*one_, recipe(), untargeted, rng()); }),
            "bad_input: no row has a target token");
}

}  // namespace
}  // namespace ffe::lm
