// The base models that 0G's fine-tuning providers know without being told, and what they cost.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"

namespace ffe::compute {

struct BaseModel {
  std::string_view name;
  std::string_view hash;       // as requests carry it: lower case, because the broker compares text
  uint64_t price_coefficient;  // of the service's price per token
  uint64_t storage_fee;        // wei, once a task
  bool local_network_only = false;
};

const std::vector<BaseModel>& base_models();
// By name or hash; nothing if it is none of these (a provider may have customized ones).
const BaseModel* find_base_model(std::string_view name_or_hash);

// tokens × price × epochs × coefficient + storage fee, in wei. max_steps does not enter.
evm::U256 task_fee(uint64_t tokens, const evm::U256& price_per_token, uint32_t epochs,
                   const BaseModel& model);

}  // namespace ffe::compute
