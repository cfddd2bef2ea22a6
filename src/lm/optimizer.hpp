// AdamW and learning-rate schedules.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace ffe::lm {

enum class Schedule { kConstant, kLinear, kCosine };
std::string_view schedule_name(Schedule schedule);   // "constant", "linear", "cosine"
Schedule schedule_from_name(std::string_view name);  // throws Error{kUsage}

struct OptimizerConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // decoupled
  double clip = 1.0;        // of the gradient's 2-norm; 0: none
  Schedule schedule = Schedule::kCosine;
  uint32_t warmup_steps = 0;
  uint32_t total_steps = 0;  // 0 is allowed with kConstant only
};

// Of step t from 0: learning_rate × (t+1)/warmup for t < warmup, then with x = (t-warmup) /
// (total-warmup), at most 1: × 0.5 (1 + cos(pi x)), × (1 - x), or × 1. No libm is involved.
double learning_rate_at(const OptimizerConfig& config, uint64_t step);

// PyTorch's AdamW over one flat vector of parameters.
class AdamW {
 public:
  AdamW() = default;
  AdamW(const OptimizerConfig& config, size_t parameters);

  struct Applied {
    double gradient_norm;  // before clipping
    double learning_rate;
  };
  // One step. Reductions run in index order, so the result depends on nothing but the inputs.
  Applied step(std::span<float> parameters, std::span<const float> gradient);

  uint64_t steps() const { return steps_; }
  const OptimizerConfig& config() const { return config_; }
  // For checkpoints.
  std::span<float> first_moment() { return first_; }
  std::span<float> second_moment() { return second_; }
  void set_steps(uint64_t steps) { steps_ = steps; }

 private:
  OptimizerConfig config_;
  std::vector<float> first_;
  std::vector<float> second_;
  uint64_t steps_ = 0;
};

}  // namespace ffe::lm
