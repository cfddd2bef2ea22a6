// Any bytes are a safetensors file or an Error.
#include "lm/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const ffe::lm::SafetensorsView view({data, size}, "fuzz");
    for (const auto& [name, entry] : view.tensors()) {
      if (entry.dtype == "F32" || entry.dtype == "F16" || entry.dtype == "BF16") {
        view.read_f32(name);
      }
    }
  } catch (const ffe::Error&) {
  }
  return 0;
}
