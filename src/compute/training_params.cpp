#include "compute/training_params.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "base/json.hpp"

namespace ffe::compute {
namespace {

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

// The members of the top-level object: numbers with the text they were written as, which a parser
// to values loses; others without.
struct Reader : nlohmann::json_sax<Json> {
  struct Number {
    std::optional<double> value;
    std::string text;
  };
  std::map<std::string, Number> members;
  std::string name;
  int depth = 0;

  void add(std::optional<double> value, std::string text) {
    if (depth == 1) members[name] = {value, std::move(text)};
  }
  bool null() override { return add({}, ""), true; }
  bool boolean(bool) override { return add({}, ""), true; }
  bool number_integer(int64_t v) override {
    return add(static_cast<double>(v), std::to_string(v)), true;
  }
  bool number_unsigned(uint64_t v) override {
    return add(static_cast<double>(v), std::to_string(v)), true;
  }
  bool number_float(double v, const std::string& text) override { return add(v, text), true; }
  bool string(std::string&) override { return add({}, ""), true; }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(); }
  bool end_object() override { return --depth, true; }
  bool start_array(size_t) override { return open(); }
  bool end_array() override { return --depth, true; }
  bool open() {
    add({}, "");
    return ++depth <= 16;
  }
  bool key(std::string& k) override {
    if (depth == 1) name = k;
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) override {
    bad("invalid training params JSON format: " + std::string(e.what()));
  }
};

constexpr std::array<std::string_view, 5> kNames = {"neftune_noise_alpha", "num_train_epochs",
                                                    "per_device_train_batch_size", "learning_rate",
                                                    "max_steps"};
constexpr std::array<std::string_view, 16> kForbidden = {"fp16",
                                                         "bf16",
                                                         "gradient_accumulation_steps",
                                                         "warmup_ratio",
                                                         "warmup_steps",
                                                         "logging_steps",
                                                         "save_steps",
                                                         "save_total_limit",
                                                         "lora_r",
                                                         "lora_alpha",
                                                         "lora_dropout",
                                                         "max_seq_length",
                                                         "use_4bit",
                                                         "use_8bit",
                                                         "optim",
                                                         "lr_scheduler_type"};

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool whole(double v) {
  return std::floor(v) == v && std::fabs(v) < 1e9;
}

void check_names(const std::map<std::string, Reader::Number>& members) {
  for (const auto& [name, _] : members) {
    if (contains(kForbidden, name)) {
      bad("training config contains forbidden parameter '" + name + "'. The provider fixes it");
    }
  }
  for (const auto& [name, _] : members) {
    if (!contains(kNames, name)) {
      bad("training config contains unexpected parameter '" + name +
          "'. Only these parameters are allowed: neftune_noise_alpha, num_train_epochs, "
          "per_device_train_batch_size, learning_rate, max_steps");
    }
  }
  for (std::string_view name : kNames) {
    if (!members.contains(std::string(name))) {
      bad("training config missing required parameter '" + std::string(name) + "'");
    }
  }
}

std::string decimal(double v) {
  char text[64];
  auto [end, ec] = std::to_chars(text, text + sizeof text, v, std::chars_format::fixed);
  if (ec != std::errc()) throw Error(ErrorCode::kInternal, "a number does not fit");
  return {text, end};
}

}  // namespace

TrainingParams parse_training_params(std::string_view json) {
  if (json.size() > 64 * 1024) bad("invalid training params JSON format: larger than 64 KiB");
  Reader reader;
  // Strict JSON first: the reader below would take a repeated name.
  if (!parse_json(json, "invalid training params JSON format").is_object()) {
    bad("invalid training params JSON format: not an object");
  }
  Json::sax_parse(json, &reader);
  const auto& members = reader.members;
  check_names(members);
  auto number = [&](std::string_view name) {
    const auto& member = members.at(std::string(name));
    return member.value ? *member.value : std::nan("");
  };
  TrainingParams out;
  out.neftune_noise_alpha = number("neftune_noise_alpha");
  if (!(out.neftune_noise_alpha >= 0 && out.neftune_noise_alpha <= 10)) {
    bad("neftune_noise_alpha must be between 0 and 10");
  }
  double epochs = number("num_train_epochs");
  if (!whole(epochs) || epochs < 1) bad("num_train_epochs must be a positive integer");
  if (epochs > 10) {
    bad("num_train_epochs should not exceed 10 for fine-tuning (typical: 1-3)");
  }
  out.num_train_epochs = static_cast<uint32_t>(epochs);
  double batch = number("per_device_train_batch_size");
  if (!whole(batch) || batch < 1 || batch > 4) {
    bad("per_device_train_batch_size must be an integer between 1 and 4");
  }
  out.per_device_train_batch_size = static_cast<uint32_t>(batch);
  const auto& rate = members.at("learning_rate");
  if (rate.text.find_first_of("eE") != std::string::npos) {
    bad("learning_rate must use decimal notation (e.g., 0.0002), not scientific notation (e.g., "
        "2e-4)");
  }
  out.learning_rate = number("learning_rate");
  if (!(out.learning_rate >= 0.00001 && out.learning_rate <= 0.001)) {
    bad("learning_rate must be between 0.00001 and 0.001 (typical: 0.0002)");
  }
  double steps = number("max_steps");
  if (!whole(steps) || (steps != -1 && steps < 1)) {
    bad("max_steps must be -1 (to use epochs) or a positive integer");
  }
  out.max_steps = static_cast<int64_t>(steps);
  return out;
}

std::string to_json(const TrainingParams& p) {
  std::string text =
      "{\"neftune_noise_alpha\":" + decimal(p.neftune_noise_alpha) +
      ",\"num_train_epochs\":" + std::to_string(p.num_train_epochs) +
      ",\"per_device_train_batch_size\":" + std::to_string(p.per_device_train_batch_size) +
      ",\"learning_rate\":" + decimal(p.learning_rate) +
      ",\"max_steps\":" + std::to_string(p.max_steps) + "}";
  parse_training_params(text);
  return text;
}

}  // namespace ffe::compute
