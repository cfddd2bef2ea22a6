// Any pair of files is a PEFT adapter or an Error. The input is cut at its first zero byte.
#include <algorithm>

#include "lm/adapter_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ffe::lm::ModelConfig config;
  config.hidden = 4;
  config.intermediate = 6;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 2;
  const uint8_t* cut = std::find(data, data + size, uint8_t{0});
  const std::string_view json = ffe::as_text({data, static_cast<size_t>(cut - data)});
  const uint8_t* rest = cut == data + size ? cut : cut + 1;
  try {
    ffe::lm::parse_peft_files({rest, static_cast<size_t>(data + size - rest)}, json, config,
                              "fuzz");
  } catch (const ffe::Error&) {
  }
  return 0;
}
