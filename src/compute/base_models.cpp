#include "compute/base_models.hpp"

#include <algorithm>

namespace ffe::compute {

const std::vector<BaseModel>& base_models() {
  static const std::vector<BaseModel> models = {
      {"Qwen2.5-0.5B-Instruct",
       "0xb4f76a886b8655c92bb021922d60b5e4d9271a5c9da98b6cb10937a06c2c75a7", 1,
       10'000'000'000'000'000},
      {"Qwen3-32B", "0x2e6f9620c35bdcb2b753cc7aa34e78077a8ed133e36fa36008fd6bdfd29af3a5", 8,
       90'000'000'000'000'000},
      {"mock-model", "0xcb42b5ca9e998c82dd239ef2d20d22a4ae16b3dc0ce0a855c93b52c7c2bab6dc", 1,
       10'000'000'000'000'000, true},
  };
  return models;
}

const BaseModel* find_base_model(std::string_view name_or_hash) {
  const auto& all = base_models();
  auto it = std::find_if(all.begin(), all.end(), [&](const BaseModel& m) {
    return m.name == name_or_hash || m.hash == name_or_hash;
  });
  return it == all.end() ? nullptr : &*it;
}

evm::U256 task_fee(uint64_t tokens, const evm::U256& price_per_token, uint32_t epochs,
                   const BaseModel& model) {
  return evm::U256(tokens) * price_per_token * evm::U256(epochs) *
             evm::U256(model.price_coefficient) +
         evm::U256(model.storage_fee);
}

}  // namespace ffe::compute
