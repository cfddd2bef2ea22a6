#include "lm/tokenizer.hpp"

#include <algorithm>

#include "lm/tokenizer_impl.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {
namespace {

constexpr size_t kMaxText = size_t{1} << 30;
constexpr size_t kMaxCachedPiece = 64;
constexpr size_t kMaxCachedPieces = 1u << 15;

struct ByteAlphabet {
  std::array<uint32_t, 256> code_point{};
  std::array<int, 512> byte{};  // by code point; -1: none

  ByteAlphabet() {
    byte.fill(-1);
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
      code_point[b] = printable ? b : next++;
      byte[code_point[b]] = static_cast<int>(b);
    }
  }
};
const ByteAlphabet& alphabet() {
  static const ByteAlphabet instance;
  return instance;
}

// "<0x0A>" stands for a byte; -1 for any other spelling.
int byte_of_fallback_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  for (size_t hit; (hit = text.find(from, at)) != std::string_view::npos; at = hit + from.size()) {
    out.append(text.substr(at, hit - at));
    out.append(to);
  }
  return out.append(text.substr(at));
}

size_t space_after(std::string_view text, size_t at) {
  while (at < text.size()) {
    const size_t n = utf8_length(text, at);
    if (n == 0 || !is_unicode_space(utf8_code_point(text, at, n))) break;
    at += n;
  }
  return at;
}

// Start of the white space that ends at `end`, not before `begin`.
size_t space_before(std::string_view text, size_t begin, size_t end) {
  while (end > begin) {
    size_t start = end - 1;
    while (start > begin && (static_cast<uint8_t>(text[start]) & 0xc0) == 0x80) --start;
    const size_t n = utf8_length(text, start);
    if (n != end - start || !is_unicode_space(utf8_code_point(text, start, n))) break;
    end = start;
  }
  return end;
}

// Calls on_text(begin, end) and on_token(id) for what `text` consists of, in order.
template <class OnText, class OnToken>
void split_added(const AddedTokenIndex& index, std::string_view text, bool parse_special,
                 OnText on_text, OnToken on_token) {
  size_t done = 0;
  for (size_t at = 0; !index.empty && at < text.size();) {
    const AddedToken* token = index.match(text, at, parse_special);
    if (token == nullptr) {
      ++at;
      continue;
    }
    const size_t start = token->strip_left ? space_before(text, done, at) : at;
    at += token->content.size();
    if (token->strip_right) at = space_after(text, at);
    if (start > done) on_text(done, start);
    on_token(token->id);
    done = at;
  }
  if (done < text.size()) on_text(done, text.size());
}

}  // namespace

std::string to_byte_alphabet(std::string_view bytes) {
  std::string out;
  for (char c : bytes) append_utf8(out, alphabet().code_point[static_cast<uint8_t>(c)]);
  return out;
}

bool from_byte_alphabet(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t at = 0; at < text.size();) {
    const size_t n = utf8_length(text, at);
    if (n == 0) return false;
    const uint32_t cp = utf8_code_point(text, at, n);
    if (cp >= alphabet().byte.size() || alphabet().byte[cp] < 0) return false;
    bytes += static_cast<char>(alphabet().byte[cp]);
    at += n;
  }
  return true;
}

void AddedTokenIndex::add(AddedToken token) {
  if (token.content.empty()) return;
  empty = false;
  auto& list = by_first_byte[static_cast<uint8_t>(token.content[0])];
  auto at = std::find_if(list.begin(), list.end(), [&](const AddedToken& other) {
    return other.content.size() < token.content.size();
  });
  list.insert(at, std::move(token));
}

const AddedToken* AddedTokenIndex::match(std::string_view text, size_t at,
                                         bool parse_special) const {
  for (const AddedToken& token : by_first_byte[static_cast<uint8_t>(text[at])]) {
    if (token.special && !parse_special) continue;
    if (text.compare(at, token.content.size(), token.content) == 0) return &token;
  }
  return nullptr;
}

int32_t TokenizerData::text_id(std::string_view token) const {
  auto it = ids.find(token);
  return it == ids.end() || special[static_cast<size_t>(it->second)] ? -1 : it->second;
}

void TokenizerData::finish() {
  byte_ids.fill(-1);
  bytes.resize(tokens.size());
  for (size_t id = 0; id < tokens.size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    bytes[id] = tokens[id];
    if (special[id]) continue;
    if (byte_level) {
      if (!from_byte_alphabet(tokens[id], bytes[id])) bytes[id] = tokens[id];
      if (bytes[id].size() == 1) byte_ids[static_cast<uint8_t>(bytes[id][0])] = token;
    } else if (const int b = byte_of_fallback_token(tokens[id]); byte_fallback && b >= 0) {
      bytes[id] = std::string(1, static_cast<char>(b));
      byte_ids[static_cast<size_t>(b)] = token;
    } else {
      bytes[id] = replace_all(tokens[id], kMetaspace, " ");
    }
  }
}

void TokenizerData::add_merge(std::string_view left, std::string_view right, uint32_t rank,
                              const std::string& where) {
  const auto id = [&](std::string_view token) {
    auto it = ids.find(token);
    if (it == ids.end()) {
      throw Error(ErrorCode::kBadInput, where + ": names a token that is not in the vocabulary");
    }
    return it->second;
  };
  const int32_t result = id(std::string(left) + std::string(right));
  if (!special[static_cast<size_t>(result)]) merges.add(id(left), id(right), {rank, result});
}

std::string TokenizerData::normalize(std::string_view text, TextPosition position) const {
  std::string out(text);
  for (const NormalizerStep& step : normalizer) {
    switch (step.kind) {
      case NormalizerStep::Kind::kNfc:
        out = to_nfc(out);
        break;
      case NormalizerStep::Kind::kPrepend:
        if (!out.empty() && position != TextPosition::kWithin) out.insert(0, step.text);
        break;
      case NormalizerStep::Kind::kReplace:
        out = replace_all(out, step.text, step.replacement);
        break;
    }
  }
  return out;
}

void TokenizerData::encode_raw(std::string_view text, bool parse_special, TextPosition position,
                               std::vector<int32_t>& out) const {
  split_added(
      raw_added, text, parse_special,
      [&](size_t begin, size_t end) {
        encode_segment(text.substr(begin, end - begin), parse_special,
                       begin == 0 ? position : TextPosition::kAfterToken, out);
      },
      [&](int32_t id) { out.push_back(id); });
}

void TokenizerData::encode_segment(std::string_view text, bool parse_special, TextPosition position,
                                   std::vector<int32_t>& out) const {
  const std::string normal = normalize(text, position);
  split_added(
      normalized_added, normal, parse_special,
      [&](size_t begin, size_t end) {
        encode_normalized(std::string_view(normal).substr(begin, end - begin),
                          begin == 0 ? position : TextPosition::kAfterToken, out);
      },
      [&](int32_t id) { out.push_back(id); });
}

void TokenizerData::encode_normalized(std::string_view text, TextPosition position,
                                      std::vector<int32_t>& out) const {
  std::string spaced;
  std::vector<std::string_view> pieces;
  if (metaspace.used) {
    using Prepend = Metaspace::Prepend;
    spaced = replace_all(text, " ", kMetaspace);
    const bool wanted =
        (metaspace.prepend == Prepend::kAlways && position != TextPosition::kWithin) ||
        (metaspace.prepend == Prepend::kFirst && position == TextPosition::kStart);
    if (wanted && !spaced.starts_with(kMetaspace)) spaced.insert(0, kMetaspace);
    text = spaced;
  }
  if (metaspace.used && metaspace.split) {
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find(kMetaspace, begin + 1), text.size());
      pieces.push_back(text.substr(begin, end - begin));
      begin = end;
    }
  } else {
    pieces.push_back(text);
  }
  for (const SplitPattern& split : splits) {
    std::vector<std::string_view> finer;
    for (std::string_view piece : pieces) split.split(piece, finer);
    pieces = std::move(finer);
  }
  for (std::string_view piece : pieces) encode_piece(piece, out);
}

void Tokenizer::forget_words() const {
  std::lock_guard lock(data_->cache.mutex);
  data_->cache.pieces = {};
}

void TokenizerData::encode_piece(std::string_view piece, std::vector<int32_t>& out) const {
  if (piece.size() > kMaxCachedPiece) {
    merge_piece(piece, out);
    return;
  }
  {
    std::lock_guard lock(cache.mutex);
    if (auto it = cache.pieces.find(piece); it != cache.pieces.end()) {
      out.insert(out.end(), it->second.begin(), it->second.end());
      return;
    }
  }
  std::vector<int32_t> merged;
  merge_piece(piece, merged);
  out.insert(out.end(), merged.begin(), merged.end());
  std::lock_guard lock(cache.mutex);
  if (cache.pieces.size() >= kMaxCachedPieces) cache.pieces.clear();
  cache.pieces.emplace(std::string(piece), std::move(merged));
}

void TokenizerData::merge_piece(std::string_view piece, std::vector<int32_t>& out) const {
  if (ignore_merges) {
    const int32_t whole = byte_level ? text_id(to_byte_alphabet(piece)) : text_id(piece);
    if (whole >= 0) {
      out.push_back(whole);
      return;
    }
  }
  merges.apply(byte_level ? byte_symbols(piece) : character_symbols(piece), out);
}

std::vector<int32_t> TokenizerData::byte_symbols(std::string_view piece) const {
  std::vector<int32_t> symbols;
  symbols.reserve(piece.size());
  for (char c : piece) {
    int32_t id = byte_ids[static_cast<uint8_t>(c)];
    if (id < 0) id = unknown;
    if (id >= 0) symbols.push_back(id);
  }
  return symbols;
}

std::vector<int32_t> TokenizerData::character_symbols(std::string_view piece) const {
  std::vector<int32_t> symbols;
  symbols.reserve(piece.size());
  bool after_unknown = false;
  for (size_t at = 0; at < piece.size();) {
    const size_t n = utf8_length(piece, at);
    const std::string_view character = piece.substr(at, n);
    at += n;
    const bool follows_unknown = after_unknown;
    after_unknown = false;
    if (const int32_t id = text_id(character); id >= 0) {
      symbols.push_back(id);
      continue;
    }
    const bool bytes_known =
        byte_fallback && std::all_of(character.begin(), character.end(), [&](char c) {
          return byte_ids[static_cast<uint8_t>(c)] >= 0;
        });
    if (bytes_known) {
      for (char c : character) symbols.push_back(byte_ids[static_cast<uint8_t>(c)]);
    } else if (unknown >= 0) {
      if (!(fuse_unknown && follows_unknown)) symbols.push_back(unknown);
      after_unknown = true;
    }
  }
  return symbols;
}

Tokenizer::Tokenizer(std::unique_ptr<const TokenizerData> data) : data_(std::move(data)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special,
                                       TextPosition position) const {
  if (text.size() > kMaxText) {
    throw Error(ErrorCode::kBadInput, "text of " + std::to_string(text.size()) +
                                          " bytes is too long to tokenise at once");
  }
  std::vector<int32_t> out;
  if (find_invalid_utf8(text) == std::string_view::npos) {
    data_->encode_raw(text, parse_special, position, out);
  } else {
    data_->encode_raw(repair_utf8(text), parse_special, position, out);
  }
  return out;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  std::string run;  // of byte-fallback tokens
  const auto flush = [&] {
    if (find_invalid_utf8(run) == std::string_view::npos) {
      out += run;
    } else {
      for (size_t i = 0; i < run.size(); ++i) out += kReplacementCharacter;
    }
    run.clear();
  };
  for (int32_t id : ids) {
    const std::string& spelled = token(id);
    if (skip_special && is_special(id)) continue;
    const std::string& bytes = data_->bytes[static_cast<size_t>(id)];
    if (!data_->byte_level && data_->byte_fallback && byte_of_fallback_token(spelled) >= 0) {
      run += bytes;
    } else {
      flush();
      out += bytes;
    }
  }
  flush();
  if (data_->strip_leading_space && out.starts_with(' ')) out.erase(0, 1);
  return data_->byte_level ? repair_utf8(out) : out;
}

std::string Tokenizer::token_bytes(int32_t id) const {
  token(id);
  return data_->bytes[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  auto it = data_->ids.find(token);
  if (it == data_->ids.end()) return std::nullopt;
  return it->second;
}

const std::string& Tokenizer::token(int32_t id) const {
  if (id < 0 || static_cast<size_t>(id) >= data_->tokens.size()) {
    throw Error(ErrorCode::kBadInput, "token id " + std::to_string(id) +
                                          " is outside the vocabulary of " +
                                          std::to_string(data_->tokens.size()));
  }
  return data_->tokens[static_cast<size_t>(id)];
}

bool Tokenizer::is_special(int32_t id) const {
  token(id);
  return data_->special[static_cast<size_t>(id)];
}

size_t Tokenizer::vocab_size() const {
  return data_->tokens.size();
}
int32_t Tokenizer::bos() const {
  return data_->bos;
}
int32_t Tokenizer::eos() const {
  return data_->eos;
}
bool Tokenizer::adds_bos() const {
  return data_->adds_bos;
}

std::string StreamDecoder::push(int32_t id) {
  if (skip_special_ && tokenizer_->is_special(id)) return {};
  std::string bytes = tokenizer_->token_bytes(id);
  if (!begun_ && !bytes.empty()) {
    begun_ = true;
    if (tokenizer_->data_->strip_leading_space && bytes.starts_with(' ')) bytes.erase(0, 1);
  }
  held_ += bytes;
  // Hold back the last character if it could still be completed.
  size_t keep = held_.size();
  for (size_t back = 1; back <= std::min<size_t>(3, held_.size()); ++back) {
    bool incomplete = false;
    utf8_length(std::string_view(held_).substr(held_.size() - back), 0, &incomplete);
    if (incomplete) keep = held_.size() - back;
  }
  std::string out = repair_utf8(std::string_view(held_).substr(0, keep));
  held_.erase(0, keep);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = repair_utf8(held_);
  held_.clear();
  return out;
}

}  // namespace ffe::lm
