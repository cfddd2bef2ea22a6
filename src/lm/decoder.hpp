// The model a few tokens further, for several streams in one pass over the weights.
#pragma once

#include <span>

#include "lm/base_model.hpp"
#include "lm/kv_cache.hpp"
#include "lm/lora_runtime.hpp"

namespace ffe::lm {

struct DecodeItem {
  KvCache* cache;                   // with room for `tokens`, which are appended
  const LoraRuntime* runtime;       // null: the bare base model
  std::span<const int32_t> tokens;  // at least one; ids within the vocabulary
  float* logits;                    // [vocab] after the last token; null: not wanted
};

// What one item gets does not depend on the others, nor on how its text is cut into calls, bit for
// bit. Uses the base's threads and arena.
void decode(const BaseModel& base, std::span<const DecodeItem> items);

}  // namespace ffe::lm
