#include <algorithm>
#include <set>

#include "lm/gguf.hpp"
#include "lm/tokenizer_impl.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {
namespace {

[[noreturn]] void bad(const std::string& what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, what + ": " + why);
}

[[noreturn]] void unsupported(const std::string& what, const std::string& why) {
  throw Error(ErrorCode::kUnsupported, what + ": " + why + " is not supported",
              "supported are byte-level BPE (SmolLM, GPT-2, Qwen2, Llama 3) and SentencePiece BPE");
}

// llama.cpp's token types.
enum : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

class GgufLoader {
 public:
  GgufLoader(const GgufFile& file, TokenizerData& t) : file_(file), what_(file.what()), t_(t) {}

  void run() {
    const std::string_view model = file_.get_string("tokenizer.ggml.model");
    if (model != "gpt2" && model != "llama") {
      unsupported(what_, "tokenizer.ggml.model \"" + std::string(model) + "\"");
    }
    t_.byte_level = model == "gpt2";
    read_tokens();
    t_.bos = id("tokenizer.ggml.bos_token_id");
    t_.eos = id("tokenizer.ggml.eos_token_id");
    t_.unknown = t_.byte_level ? -1 : id("tokenizer.ggml.unknown_token_id");
    if (t_.byte_level) {
      read_byte_level();
    } else {
      read_sentencepiece();
    }
    t_.adds_bos = file_.find_bool("tokenizer.ggml.add_bos_token").value_or(adds_bos_);
    if (t_.bos < 0) t_.adds_bos = false;
    t_.finish();
  }

 private:
  int32_t id(std::string_view key) {
    const std::optional<uint64_t> v = file_.find_uint(key);
    if (!v) return -1;
    if (*v >= t_.tokens.size()) bad(what_, std::string(key) + " is outside the vocabulary");
    return static_cast<int32_t>(*v);
  }

  void read_tokens() {
    const std::vector<std::string_view> tokens = file_.get_strings("tokenizer.ggml.tokens");
    if (tokens.empty() || tokens.size() > size_t{kMaxTokens}) {
      bad(what_, "tokenizer.ggml.tokens has " + std::to_string(tokens.size()) + " entries");
    }
    types_.assign(tokens.size(), kNormal);
    if (file_.has("tokenizer.ggml.token_type")) {
      types_ = file_.get_ints("tokenizer.ggml.token_type");
    }
    if (types_.size() != tokens.size()) {
      bad(what_, "tokenizer.ggml.token_type does not have one entry per token");
    }
    t_.special.resize(tokens.size());
    t_.ids.reserve(tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (find_invalid_utf8(tokens[i]) != std::string_view::npos) {
        bad(what_, "tokenizer.ggml.tokens[" + std::to_string(i) + "] is not UTF-8");
      }
      t_.tokens.emplace_back(tokens[i]);
      t_.ids.emplace(tokens[i], static_cast<int32_t>(i));
      // Some converters call every added token user-defined; what is spelled as a control token
      // must not arise from user text.
      if (types_[i] == kUserDefined && tokens[i].starts_with("<|") && tokens[i].ends_with("|>")) {
        types_[i] = kControl;
      }
      t_.special[i] = types_[i] == kControl || types_[i] == kUnknown;
      if (types_[i] != kControl && types_[i] != kUserDefined) continue;
      if (++added_ > kMaxAddedTokens) {
        bad(what_, "tokenizer.ggml.token_type marks too many tokens as control or user-defined");
      }
      AddedToken added;
      added.content = tokens[i];
      added.id = static_cast<int32_t>(i);
      added.special = types_[i] == kControl;
      t_.raw_added.add(std::move(added));
    }
  }

  void read_byte_level() {
    const std::string pre(file_.find_string("tokenizer.ggml.pre").value_or("default"));
    const std::string at = what_ + ": tokenizer.ggml.pre";
    if (pre == "smollm") {
      t_.splits.emplace_back(kDigitPattern, at);
      t_.splits.emplace_back(kGpt2Pattern, at);
    } else if (pre == "gpt-2") {
      t_.splits.emplace_back(kGpt2Pattern, at);
    } else if (pre == "qwen2") {
      t_.normalizer.push_back({NormalizerStep::Kind::kNfc, "", ""});
      t_.splits.emplace_back(kQwen2Pattern, at);
    } else if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3") {
      t_.splits.emplace_back(kLlama3Pattern, at);
      t_.ignore_merges = true;
      adds_bos_ = true;
    } else {
      unsupported(what_, "tokenizer.ggml.pre \"" + pre + "\"");
    }
    const std::vector<std::string_view> merges = file_.get_strings("tokenizer.ggml.merges");
    t_.merges.reserve(merges.size());
    for (uint32_t rank = 0; rank < merges.size(); ++rank) {
      const std::string where = what_ + ": tokenizer.ggml.merges[" + std::to_string(rank) + "]";
      // A token never begins with a space here, so the separator is the first one behind it.
      const size_t space = merges[rank].find(' ', 1);
      if (space == std::string_view::npos) bad(where, "is not a pair");
      t_.add_merge(merges[rank].substr(0, space), merges[rank].substr(space + 1), rank, where);
    }
  }

  // SentencePiece merges two neighbours whenever together they are a token, best score first.
  void read_sentencepiece() {
    const std::vector<float> scores = file_.get_floats("tokenizer.ggml.scores");
    if (scores.size() != t_.tokens.size()) {
      bad(what_, "tokenizer.ggml.scores does not have one entry per token");
    }
    std::set<float, std::greater<>> order;
    for (float s : scores) order.insert(s == s ? s : 0.0f);
    std::unordered_map<float, uint32_t> rank;
    for (float s : order) rank.emplace(s, static_cast<uint32_t>(rank.size()));
    for (size_t i = 0; i < t_.tokens.size(); ++i) {
      if (!mergeable(i) || t_.tokens[i].size() > 256) continue;
      const std::string_view token = t_.tokens[i];
      const float score = scores[i] == scores[i] ? scores[i] : 0.0f;
      for (size_t cut = 1; cut < token.size(); ++cut) {
        auto left = t_.ids.find(token.substr(0, cut));
        auto right = t_.ids.find(token.substr(cut));
        if (left == t_.ids.end() || right == t_.ids.end()) continue;
        if (!mergeable(static_cast<size_t>(left->second)) ||
            !mergeable(static_cast<size_t>(right->second))) {
          continue;
        }
        t_.merges.add(left->second, right->second, {rank.at(score), static_cast<int32_t>(i)});
      }
    }
    t_.byte_fallback = true;
    t_.fuse_unknown = true;
    t_.metaspace.used = true;
    adds_bos_ = true;
    const bool prefix = file_.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
    t_.strip_leading_space = prefix;
    // llama.cpp puts the space before every text between control tokens, even before a space.
    t_.metaspace.prepend = Metaspace::Prepend::kNever;
    if (prefix) t_.normalizer.push_back({NormalizerStep::Kind::kPrepend, " ", ""});
  }

  bool mergeable(size_t i) const {
    return types_[i] == kNormal || types_[i] == kUserDefined || types_[i] == kUnused;
  }

  const GgufFile& file_;
  const std::string& what_;
  TokenizerData& t_;
  std::vector<int64_t> types_;
  size_t added_ = 0;
  bool adds_bos_ = false;
};

}  // namespace

void load_tokenizer_gguf(const GgufFile& file, TokenizerData& out) {
  GgufLoader(file, out).run();
}

}  // namespace ffe::lm
