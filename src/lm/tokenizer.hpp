// Text to token ids and back, with the ids that the model's reference tokenizer gives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace ffe::lm {

// Where a text stands; SentencePiece-style tokenizers put a space before it accordingly.
enum class TextPosition {
  kStart,       // at the very beginning
  kAfterToken,  // right behind a control token
  kWithin,      // continues other text
};

class GgufFile;
class ModelFile;
struct TokenizerData;

// Byte-pair encoding: byte-level (GPT-2 alphabet) with the SmolLM2, Qwen2 and Llama 3 splits, or
// SentencePiece-style with byte fallback (Llama 2, Mistral). Immutable; const members are
// thread-safe. Time is O(n log n) in the text's length, whatever the text.
class Tokenizer {
 public:
  // tokenizer.json beside a folder's weights, or GGUF metadata. Throws Error{kBadInput} for broken
  // and {kUnsupported} for foreign parts, naming the field.
  static Tokenizer from(const ModelFile& model);
  static Tokenizer from_gguf(const GgufFile& file);
  static Tokenizer from_json(const std::filesystem::path& path);
  static Tokenizer from_json(const Json& json, std::string_view what);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // With `parse_special`, special tokens written out in the text become their ids; without, they
  // are text like any other: nothing a user types can end a turn. No BOS or EOS is added. Bytes
  // that are not UTF-8 become U+FFFD.
  std::vector<int32_t> encode(std::string_view text, bool parse_special = false,
                              TextPosition position = TextPosition::kStart) const;

  // Ids out of range throw Error{kBadInput}.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;
  // The bytes of one token as it stands within a text (a lone byte of a character is possible).
  std::string token_bytes(int32_t id) const;

  std::optional<int32_t> id_of(std::string_view token) const;
  const std::string& token(int32_t id) const;  // as the vocabulary spells it
  bool is_special(int32_t id) const;
  size_t vocab_size() const;
  int32_t bos() const;    // -1: none
  int32_t eos() const;    // -1: none
  bool adds_bos() const;  // plain text begins with bos()

  // encode() remembers the words that it has seen, to be faster; they may be somebody's secret.
  void forget_words() const;

 private:
  friend class StreamDecoder;
  explicit Tokenizer(std::unique_ptr<const TokenizerData> data);
  std::unique_ptr<const TokenizerData> data_;
};

// Turns ids into text as they arrive, holding back bytes of an unfinished character.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true)
      : tokenizer_(&tokenizer), skip_special_(skip_special) {}

  std::string push(int32_t id);  // whole characters only; may be empty
  std::string finish();          // what was held back, U+FFFD for a broken character

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool begun_ = false;
  std::string held_;
};

}  // namespace ffe::lm
