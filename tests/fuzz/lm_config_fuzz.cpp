// Any config.json is a configuration within its bounds or an Error.
#include <cstdlib>

#include "lm/model_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const ffe::Json json =
        ffe::parse_json(ffe::as_text({data, size}), "fuzz", {.max_bytes = 1u << 20});
    const auto config = ffe::lm::ModelConfig::from_hf(json, "fuzz");
    if (config.kv_heads == 0 || config.heads % config.kv_heads != 0 || config.head_dim % 2 != 0)
      std::abort();
  } catch (const ffe::Error&) {
  }
  return 0;
}
