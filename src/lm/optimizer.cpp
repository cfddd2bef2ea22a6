#include "lm/optimizer.hpp"

#include <cmath>
#include <string>

#include "base/error.hpp"
#include "lm/kernels.hpp"

namespace ffe::lm {
namespace {

constexpr double kPi = 3.14159265358979323846;

// cos(x) for 0 <= x <= pi; absolute error below 1e-14.
double cosine(double x) {
  const double y = x > kPi / 2 ? kPi - x : x;
  double term = 1;
  double sum = 1;
  for (int k = 1; k <= 11; ++k) {
    term *= -y * y / ((2 * k - 1) * (2 * k));
    sum += term;
  }
  return x > kPi / 2 ? -sum : sum;
}

double power(double base, uint64_t exponent) {
  double result = 1;
  for (; exponent > 0; exponent >>= 1, base *= base) {
    if (exponent & 1) result *= base;
  }
  return result;
}

}  // namespace

std::string_view schedule_name(Schedule schedule) {
  switch (schedule) {
    case Schedule::kConstant:
      return "constant";
    case Schedule::kLinear:
      return "linear";
    case Schedule::kCosine:
      return "cosine";
  }
  return "constant";
}

Schedule schedule_from_name(std::string_view name) {
  for (Schedule s : {Schedule::kConstant, Schedule::kLinear, Schedule::kCosine}) {
    if (schedule_name(s) == name) return s;
  }
  throw Error(ErrorCode::kUsage, "unknown schedule \"" + std::string(name) + "\"",
              "use constant, linear or cosine");
}

double learning_rate_at(const OptimizerConfig& config, uint64_t step) {
  const double peak = config.learning_rate;
  if (step < config.warmup_steps) {
    return peak * (static_cast<double>(step) + 1) / config.warmup_steps;
  }
  if (config.schedule == Schedule::kConstant) return peak;
  const uint64_t past = step - config.warmup_steps;
  const uint64_t span =
      config.total_steps > config.warmup_steps ? config.total_steps - config.warmup_steps : 1;
  const double x = past >= span ? 1.0 : static_cast<double>(past) / static_cast<double>(span);
  return config.schedule == Schedule::kLinear ? peak * (1 - x) : peak * 0.5 * (1 + cosine(kPi * x));
}

AdamW::AdamW(const OptimizerConfig& config, size_t parameters)
    : config_(config), first_(parameters), second_(parameters) {
  const bool sound = config.learning_rate >= 0 && std::isfinite(config.learning_rate) &&
                     config.beta1 >= 0 && config.beta1 < 1 && config.beta2 >= 0 &&
                     config.beta2 < 1 && config.epsilon > 0 && config.weight_decay >= 0 &&
                     config.clip >= 0;
  if (!sound) throw Error(ErrorCode::kUsage, "optimiser settings out of range");
  if (config.schedule != Schedule::kConstant && config.total_steps == 0) {
    throw Error(ErrorCode::kUsage, "a " + std::string(schedule_name(config.schedule)) +
                                       " schedule needs the number of steps");
  }
}

AdamW::Applied AdamW::step(std::span<float> parameters, std::span<const float> gradient) {
  double squares = 0;
  for (float g : gradient) squares += static_cast<double>(g) * g;
  const double norm = std::sqrt(squares);
  double factor = 1;
  if (config_.clip > 0) factor = std::min(1.0, config_.clip / (norm + 1e-6));
  const double rate = learning_rate_at(config_, steps_);
  ++steps_;
  const double correction1 = 1 - power(config_.beta1, steps_);
  const double correction2 = 1 - power(config_.beta2, steps_);
  const float constants[9] = {static_cast<float>(factor),
                              static_cast<float>(config_.beta1),
                              static_cast<float>(1 - config_.beta1),
                              static_cast<float>(config_.beta2),
                              static_cast<float>(1 - config_.beta2),
                              static_cast<float>(1 - rate * config_.weight_decay),
                              static_cast<float>(-rate / correction1),
                              static_cast<float>(1 / std::sqrt(correction2)),
                              static_cast<float>(config_.epsilon)};
  kernels().adamw(parameters.data(), first_.data(), second_.data(), gradient.data(),
                  parameters.size(), constants);
  return {norm, rate};
}

}  // namespace ffe::lm
