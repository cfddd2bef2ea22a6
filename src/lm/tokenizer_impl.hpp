// What a tokenizer is made of; tokenizer_json.cpp and tokenizer_gguf.cpp fill it in, tokenizer.cpp
// runs it.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lm/bpe.hpp"
#include "lm/split_pattern.hpp"
#include "lm/tokenizer.hpp"

namespace ffe::lm {

inline constexpr std::string_view kMetaspace = "\xe2\x96\x81";  // U+2581, SentencePiece's space

inline constexpr uint32_t kMaxTokens = 1u << 22;
// Adding one takes time in proportion to those before it.
inline constexpr size_t kMaxAddedTokens = 1u << 14;

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
};
template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

// A token that is found in the text itself, before any merging.
struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool special = false;
  bool normalized = false;  // looked for in the normalised text
  bool strip_left = false;  // takes the white space before it along
  bool strip_right = false;
};

// Candidates by their first byte, longest first.
struct AddedTokenIndex {
  std::array<std::vector<AddedToken>, 256> by_first_byte;
  bool empty = true;

  void add(AddedToken token);
  const AddedToken* match(std::string_view text, size_t at, bool parse_special) const;
};

struct NormalizerStep {
  enum class Kind { kNfc, kPrepend, kReplace };
  Kind kind;
  std::string text;         // to prepend, or to look for
  std::string replacement;  // of kReplace
};

struct Metaspace {
  enum class Prepend { kAlways, kFirst, kNever };
  bool used = false;
  Prepend prepend = Prepend::kAlways;
  bool split = false;  // pieces begin at each U+2581
};

struct TokenizerData {
  std::vector<std::string> tokens;  // by id, as spelled; "" for an id that is not used
  std::vector<std::string> bytes;   // by id, as they stand in text
  std::vector<bool> special;
  StringMap<int32_t> ids;

  AddedTokenIndex raw_added;
  AddedTokenIndex normalized_added;
  std::vector<NormalizerStep> normalizer;
  Metaspace metaspace;
  std::vector<SplitPattern> splits;

  bool byte_level = false;
  bool byte_fallback = false;
  bool fuse_unknown = false;
  bool ignore_merges = false;
  bool strip_leading_space = false;  // decode removes one, as encode has put one there
  int32_t unknown = -1;
  std::array<int32_t, 256> byte_ids{};  // tokens of single bytes; -1: none
  BpeMerges merges;

  int32_t bos = -1;
  int32_t eos = -1;
  bool adds_bos = false;

  // Pieces that came up before; bounded, because text is hostile.
  struct Cache {
    std::mutex mutex;
    StringMap<std::vector<int32_t>> pieces;
  };
  mutable Cache cache;

  // Id of a token that ordinary text may become; -1 if there is none.
  int32_t text_id(std::string_view token) const;

  std::string normalize(std::string_view text, TextPosition position) const;
  void encode_raw(std::string_view text, bool parse_special, TextPosition position,
                  std::vector<int32_t>& out) const;
  void encode_segment(std::string_view text, bool parse_special, TextPosition position,
                      std::vector<int32_t>& out) const;
  void encode_normalized(std::string_view text, TextPosition position,
                         std::vector<int32_t>& out) const;
  void encode_piece(std::string_view piece, std::vector<int32_t>& out) const;
  void merge_piece(std::string_view piece, std::vector<int32_t>& out) const;
  std::vector<int32_t> byte_symbols(std::string_view piece) const;
  std::vector<int32_t> character_symbols(std::string_view piece) const;

  // Text must never turn into a control token, so merges that make one are left out. Throws
  // Error{kBadInput} that begins with `where` for a token that is not in the vocabulary.
  void add_merge(std::string_view left, std::string_view right, uint32_t rank,
                 const std::string& where);

  // Completes `bytes` and `byte_ids` from the rest; the last step of loading.
  void finish();
};

void load_tokenizer_json(const Json& json, const std::string& what, TokenizerData& out);
void load_tokenizer_gguf(const GgufFile& file, TokenizerData& out);

// GPT-2's alphabet: a printable character for each byte, so that byte strings can be spelled.
std::string to_byte_alphabet(std::string_view bytes);
// The reverse; false if some character is not in the alphabet.
bool from_byte_alphabet(std::string_view text, std::string& bytes);

}  // namespace ffe::lm
