// Any bytes are a GGUF file or an Error; so are the configuration and the tokenizer in it.
#include "lm/gguf.hpp"
#include "lm/model_config.hpp"
#include "lm/tokenizer.hpp"

namespace {

template <class Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const ffe::Error&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  tolerate([&] {
    const ffe::lm::GgufFile file({data, size}, "fuzz");
    tolerate([&] { ffe::lm::ModelConfig::from_gguf(file); });
    tolerate([&] { ffe::lm::Tokenizer::from_gguf(file).encode("a text <s> 1\n", true); });
  });
  return 0;
}
