// The five settings that 0G's fine-tuning providers take, no more and no fewer; everything else
// (LoRA rank, targets, sequence length …) is the provider's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ffe::compute {

struct TrainingParams {
  // Required by the API and without effect in the provider's trainer as published.
  double neftune_noise_alpha = 5;            // 0 to 10
  uint32_t num_train_epochs = 3;             // 1 to 10
  uint32_t per_device_train_batch_size = 2;  // 1 to 4
  double learning_rate = 0.0002;             // 0.00001 to 0.001
  int64_t max_steps = -1;                    // -1: by epochs; the fee does not depend on it

  bool operator==(const TrainingParams&) const = default;
};

// Throws Error{kBadInput} with the words of 0G's broker, in the order of its checks.
TrainingParams parse_training_params(std::string_view json);
// In plain decimal notation, because the broker refuses "2e-4". Throws as above if out of range.
std::string to_json(const TrainingParams& params);

}  // namespace ffe::compute
