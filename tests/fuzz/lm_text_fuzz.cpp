// Text to tokens and back gives the text, with U+FFFD for what was not UTF-8.
#include <cstdlib>

#include "lm/tokenizer.hpp"
#include "lm/tokenizer_impl.hpp"
#include "lm/unicode.hpp"

namespace {

// Every byte, a few merges and a control token; the split of Llama 3, the normaliser of Qwen2.
ffe::lm::Tokenizer small_tokenizer() {
  ffe::Json vocab = ffe::Json::object();
  for (int b = 0; b < 256; ++b) {
    vocab[ffe::lm::to_byte_alphabet(std::string(1, static_cast<char>(b)))] =
        static_cast<unsigned>(b);
  }
  vocab["aa"] = 256u;
  vocab["aaa"] = 257u;
  vocab["ab"] = 258u;
  const ffe::Json split = {{"type", "Split"},
                           {"behavior", "Isolated"},
                           {"pattern", {{"Regex", std::string(ffe::lm::kLlama3Pattern)}}}};
  const ffe::Json bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return ffe::lm::Tokenizer::from_json(
      {{"added_tokens", {{{"id", 259u}, {"content", "<|end|>"}, {"special", true}}}},
       {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {split, bytes}}}},
       {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"a a", "aa a", "a b"}}}}},
      "small");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ffe::lm::Tokenizer tokenizer = small_tokenizer();
  const std::string_view text = ffe::as_text({data, size});
  const std::string whole = ffe::lm::repair_utf8(text);
  for (bool special : {false, true}) {
    const std::vector<int32_t> ids = tokenizer.encode(text, special);
    if (tokenizer.decode(ids) != whole) std::abort();
    for (int32_t id : ids) {
      if (!special && tokenizer.is_special(id)) std::abort();
    }
  }
  const std::string normal = ffe::lm::to_nfc(whole);
  if (ffe::lm::to_nfc(normal) != normal) std::abort();
  return 0;
}
