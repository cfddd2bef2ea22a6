// Any tokenizer.json is a tokenizer or an Error, and what it encodes it decodes.
#include "lm/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const ffe::Json json =
        ffe::parse_json(ffe::as_text({data, size}), "fuzz", {.max_bytes = 1u << 20});
    const ffe::lm::Tokenizer tokenizer = ffe::lm::Tokenizer::from_json(json, "fuzz");
    tokenizer.decode(tokenizer.encode("Hello, world! \xc3\xa9 12 <|im_end|>\n\n x", true));
  } catch (const ffe::Error&) {
  }
  return 0;
}
