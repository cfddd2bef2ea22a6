#include "gate/engine_learner.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <numeric>

#include "base/file.hpp"
#include "base/json.hpp"
#include "lm/engine.hpp"
#include "lm/safetensors.hpp"

namespace ffe::gate {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kVocab = 1216;
constexpr uint32_t kHidden = 32;
constexpr uint32_t kInner = 64;
constexpr uint32_t kLayers = 2;

fs::path tokenizer_path() {
  const char* set = std::getenv("FFE_VECTORS");
  const fs::path root =
      set != nullptr ? fs::path(set) : fs::path(FFE_SOURCE_DIR) / ".." / "shared" / "vectors";
  return root / "tokenizer" / "llama2-style.tokenizer.json";
}

// A small random Llama as a Hugging Face folder.
void write_model(const fs::path& folder) {
  const Json config = {{"architectures", {"LlamaForCausalLM"}},
                       {"model_type", "llama"},
                       {"hidden_act", "silu"},
                       {"hidden_size", kHidden},
                       {"intermediate_size", kInner},
                       {"num_hidden_layers", kLayers},
                       {"num_attention_heads", 4},
                       {"num_key_value_heads", 4},
                       {"head_dim", 8},
                       {"max_position_embeddings", 128},
                       {"rms_norm_eps", 1e-5},
                       {"rope_theta", 10000.0},
                       {"tie_word_embeddings", true},
                       {"vocab_size", kVocab},
                       {"bos_token_id", 1},
                       {"eos_token_id", 2}};
  const std::string text = config.dump();
  write_file_atomic(folder / "config.json", as_bytes(text));
  crypto::ChaChaRng rng(Bytes(32, 9));
  std::map<std::string, std::vector<float>> data;
  std::map<std::string, lm::SafetensorsTensor> tensors;
  const auto add = [&](const std::string& name, std::vector<uint64_t> shape, float scale) {
    const size_t n = std::accumulate(shape.begin(), shape.end(), size_t{1}, std::multiplies<>());
    std::vector<float>& values = data[name];
    for (size_t i = 0; i < n; ++i) {
      values.push_back(scale == 0 ? 1.0f : scale * static_cast<float>(2 * rng.uniform01() - 1));
    }
    tensors[name] = {std::move(shape), values};
  };
  add("model.embed_tokens.weight", {kVocab, kHidden}, 1.0f);
  add("model.norm.weight", {kHidden}, 0);
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {kHidden}, 0);
    add(prefix + "post_attention_layernorm.weight", {kHidden}, 0);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      add(prefix + "self_attn." + name + ".weight", {kHidden, kHidden}, 0.3f);
    }
    for (const char* name : {"gate_proj", "up_proj"}) {
      add(prefix + "mlp." + name + ".weight", {kInner, kHidden}, 0.3f);
    }
    add(prefix + "mlp.down_proj.weight", {kHidden, kInner}, 0.3f);
  }
  write_file_atomic(folder / "model.safetensors", lm::write_safetensors(tensors));
}

lm::Row text_row(std::string text) {
  lm::Row row;
  row.kind = lm::Row::Kind::kText;
  row.text = std::move(text);
  return row;
}

class EngineLearnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(tokenizer_path())) {
      GTEST_SKIP() << "no " << tokenizer_path() << "; set FFE_VECTORS";
    }
    write_model(dir_.path());
    tokenizer_.emplace(lm::Tokenizer::from_json(tokenizer_path()));
    engine_.emplace(lm::ModelFile::open(dir_.path()));
    learner_ = make_learner(*engine_, *tokenizer_, nullptr, {.max_tokens = 64});
    recipe_.steps = 12;
    for (const char* text :
         {"the quick brown fox jumps over the lazy dog", "a small cat sat on the warm mat",
          "rain falls on the green hills", "one two three four five six seven"}) {
      rows_.push_back(text_row(text));
    }
  }

  void begin(size_t arms) {
    crypto::ChaChaRng rng(Bytes(32, 5));
    learner_->begin(arms, recipe_, rng);
  }
  std::vector<double> losses(int arm) {
    std::vector<ScoreItem> items;
    for (const lm::Row& row : rows_) items.push_back({arm, &row, &row});
    return learner_->losses(items);
  }

  TempDir dir_;
  std::optional<lm::Tokenizer> tokenizer_;
  std::optional<lm::Engine> engine_;
  std::unique_ptr<Learner> learner_;
  MiniRecipe recipe_;
  std::vector<lm::Row> rows_;
};

TEST_F(EngineLearnerTest, fresh_arms_are_the_base_model) {
  begin(3);
  EXPECT_EQ(losses(0), losses(kBaseModel));
  EXPECT_EQ(losses(2), losses(kBaseModel));
}

TEST_F(EngineLearnerTest, an_arm_learns_its_rows_and_nothing_of_others) {
  begin(2);
  const std::vector<double> base = losses(kBaseModel);
  for (int step = 0; step < 12; ++step) {
    const TrainItem items[] = {{0, &rows_[0]}, {0, &rows_[1]}, {1, &rows_[2]}};
    learner_->step(items);
  }
  EXPECT_LT(losses(0)[0], base[0] - 0.1);
  EXPECT_LT(losses(1)[2], base[2] - 0.1);
  EXPECT_EQ(losses(kBaseModel), base);
  const std::vector<double> together = losses(1);

  begin(1);  // alone: the same bits
  for (int step = 0; step < 12; ++step) {
    const TrainItem items[] = {{0, &rows_[2]}};
    learner_->step(items);
  }
  EXPECT_EQ(losses(0), together);
}

TEST_F(EngineLearnerTest, answers_of_other_rows_score_differently) {
  const ScoreItem items[] = {{kBaseModel, &rows_[0], &rows_[0]},
                             {kBaseModel, &rows_[0], &rows_[1]},
                             {kBaseModel, &rows_[0], &rows_[0]}};
  const std::vector<double> out = learner_->losses(items);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_NE(out[0], out[1]);
  EXPECT_EQ(out[0], out[2]);
}

TEST_F(EngineLearnerTest, rows_that_cannot_be_scored_do_not_fit) {
  EXPECT_TRUE(learner_->fits(rows_[0], rows_[1]));
  lm::Row chat;
  chat.messages = {{"user", "hi"}, {"assistant", "ho"}};
  EXPECT_FALSE(learner_->fits(chat, chat)) << "no chat template";
  EXPECT_FALSE(learner_->fits(rows_[0], chat));
  std::string long_text;
  for (int i = 0; i < 400; ++i) long_text += "word ";
  EXPECT_FALSE(learner_->fits(text_row(long_text), text_row(long_text)));
}

}  // namespace
}  // namespace ffe::gate
