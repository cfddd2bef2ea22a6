#include "compute/training_params.hpp"

#include <gtest/gtest.h>

#include "support/error_of.hpp"

namespace ffe::compute {
namespace {

using test::error_of;

// The five, with one text replaced by another.
std::string with(const std::string& from, const std::string& to) {
  std::string text =
      R"({"neftune_noise_alpha":5,"num_train_epochs":1,"per_device_train_batch_size":2,)"
      R"("learning_rate":0.0002,"max_steps":3})";
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  return text;
}

std::string refusal(const std::string& from, const std::string& to) {
  std::string error = error_of([&] { parse_training_params(with(from, to)); });
  return error.substr(error.find(": ") + 2);
}

TEST(ComputeParams, ReadsWhatTheBrokerTakes) {
  TrainingParams p = parse_training_params(with("", ""));
  EXPECT_EQ(p.neftune_noise_alpha, 5);
  EXPECT_EQ(p.num_train_epochs, 1u);
  EXPECT_EQ(p.per_device_train_batch_size, 2u);
  EXPECT_EQ(p.learning_rate, 0.0002);
  EXPECT_EQ(p.max_steps, 3);
  EXPECT_EQ(parse_training_params(with("\"max_steps\":3", "\"max_steps\":-1")).max_steps, -1);
  EXPECT_EQ(parse_training_params(with("epochs\":1", "epochs\":10.0")).num_train_epochs, 10u);
}

TEST(ComputeParams, WritesPlainDecimals) {
  TrainingParams p;
  p.learning_rate = 0.00001;
  p.neftune_noise_alpha = 0;
  EXPECT_EQ(to_json(p),
            R"({"neftune_noise_alpha":0,"num_train_epochs":3,"per_device_train_batch_size":2,)"
            R"("learning_rate":0.00001,"max_steps":-1})");
  EXPECT_EQ(parse_training_params(to_json(p)), p);
  p.learning_rate = 0.01;
  EXPECT_EQ(error_of([&] { to_json(p); }),
            "bad_input: learning_rate must be between 0.00001 and 0.001 (typical: 0.0002)");
}

TEST(ComputeParams, RefusesInTheBrokersWords) {
  EXPECT_EQ(refusal("alpha\":5", "alpha\":10.1"), "neftune_noise_alpha must be between 0 and 10");
  EXPECT_EQ(refusal("alpha\":5", "alpha\":\"5\""), "neftune_noise_alpha must be between 0 and 10");
  EXPECT_EQ(refusal("epochs\":1", "epochs\":0"), "num_train_epochs must be a positive integer");
  EXPECT_EQ(refusal("epochs\":1", "epochs\":1.5"), "num_train_epochs must be a positive integer");
  EXPECT_EQ(refusal("epochs\":1", "epochs\":11"),
            "num_train_epochs should not exceed 10 for fine-tuning (typical: 1-3)");
  EXPECT_EQ(refusal("size\":2", "size\":5"),
            "per_device_train_batch_size must be an integer between 1 and 4");
  EXPECT_EQ(refusal("0.0002", "2e-4"),
            "learning_rate must use decimal notation (e.g., 0.0002), not scientific notation "
            "(e.g., 2e-4)");
  EXPECT_EQ(refusal("0.0002", "0.000009"),
            "learning_rate must be between 0.00001 and 0.001 (typical: 0.0002)");
  EXPECT_EQ(refusal("steps\":3", "steps\":0"),
            "max_steps must be -1 (to use epochs) or a positive integer");
  EXPECT_EQ(refusal("steps\":3", "steps\":-2"),
            "max_steps must be -1 (to use epochs) or a positive integer");
  EXPECT_EQ(refusal(",\"max_steps\":3", ""),
            "training config missing required parameter 'max_steps'");
  EXPECT_EQ(refusal("}", ",\"seed\":1}").substr(0, 54),
            "training config contains unexpected parameter 'seed'. ");
  // A forbidden one is named before an unexpected one.
  EXPECT_EQ(refusal("}", ",\"a\":1,\"lora_r\":8}").substr(0, 54),
            "training config contains forbidden parameter 'lora_r'.");
}

TEST(ComputeParams, RefusesWhatIsNoObjectOfNumbers) {
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("5"),
        std::string("{\"max_steps\":{\"max_steps\":1}}"), with("}", ",\"max_steps\":4}"),
        with("3", "null"), with("3", "[3]"), with("3", "1e400"), with("3", "true"), with("}", ""),
        std::string(100'000, '[')}) {
    EXPECT_EQ(error_of([&] { parse_training_params(bad); }).substr(0, 10), "bad_input:") << bad;
  }
}

}  // namespace
}  // namespace ffe::compute
