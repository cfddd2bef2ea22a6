#include <algorithm>

#include "lm/tokenizer_impl.hpp"

namespace ffe::lm {
namespace {

constexpr int64_t kMaxId = kMaxTokens;

[[noreturn]] void bad(const std::string& what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, what + ": " + why);
}

[[noreturn]] void unsupported(const std::string& what, const std::string& why) {
  throw Error(ErrorCode::kUnsupported, what + ": " + why + " is not supported",
              "supported are byte-level BPE and SentencePiece-style BPE tokenizers");
}

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

bool flag(const Json& object, std::string_view key, bool otherwise, const std::string& what) {
  const Json* v = find(object, key);
  if (v == nullptr) return otherwise;
  if (!v->is_boolean()) bad(what, std::string(key) + " is not true or false");
  return v->get<bool>();
}

std::string type_of(const Json& object, const std::string& what) {
  return json_string(object, "type", what);
}

// Members of a Sequence, or the one object itself.
std::vector<const Json*> flatten(const Json& json, std::string_view list, const std::string& what) {
  if (json.is_null()) return {};
  if (type_of(json, what) != "Sequence") return {&json};
  const Json& members = json_member(json, list, what);
  if (!members.is_array() || members.size() > 64) bad(what, std::string(list) + " is not a list");
  std::vector<const Json*> out;
  for (const Json& member : members) {
    const std::vector<const Json*> inner = flatten(member, list, what);
    out.insert(out.end(), inner.begin(), inner.end());
  }
  return out;
}

class JsonLoader {
 public:
  JsonLoader(const Json& json, const std::string& what, TokenizerData& t)
      : json_(json), what_(what), t_(t) {}

  void run() {
    const Json& model = json_member(json_, "model", what_);
    const std::string at = what_ + ": model";
    if (find(model, "type") != nullptr && type_of(model, at) != "BPE") {
      unsupported(at, "type \"" + type_of(model, at) + "\"");
    }
    for (const char* field : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
      const Json* v = find(model, field);
      if (v != nullptr && *v != "" && *v != 0.0) unsupported(at, field);
    }
    limit_ids(model);
    read_vocab(model, at);
    read_added();
    read_normalizer();
    read_pre_tokenizer();
    t_.byte_fallback = flag(model, "byte_fallback", false, at);
    t_.fuse_unknown = flag(model, "fuse_unk", false, at);
    t_.ignore_merges = flag(model, "ignore_merges", false, at);
    if (!t_.byte_level && !t_.byte_fallback && !t_.metaspace.used) {
      unsupported(what_, "a tokenizer that is neither byte-level nor SentencePiece-style");
    }
    if (const Json* unknown = find(model, "unk_token")) {
      auto it = unknown->is_string() ? t_.ids.find(unknown->get<std::string>()) : t_.ids.end();
      if (it == t_.ids.end()) bad(at, "unk_token is not in the vocabulary");
      t_.unknown = it->second;
    }
    read_merges(model, at);
    read_decoder();
    read_post_processor();
    index_added();
    t_.finish();
  }

 private:
  // Tables are as long as the highest id, so a short file must not name a high one. Vocabularies
  // have gaps, but small ones.
  void limit_ids(const Json& model) {
    size_t entries = 0;
    for (const Json* list : {find(model, "vocab"), find(json_, "added_tokens")}) {
      if (list != nullptr) entries += list->size();
    }
    id_limit_ = static_cast<int64_t>(std::min<size_t>(kMaxTokens, 2 * entries + 4096));
  }

  void place(const std::string& token, int64_t id, const std::string& at) {
    if (id < 0 || id >= id_limit_) bad(at, "token id " + std::to_string(id) + " is out of range");
    const auto index = static_cast<size_t>(id);
    if (index >= t_.tokens.size()) {
      t_.tokens.resize(index + 1);
      t_.special.resize(index + 1);
      used_.resize(index + 1);
    }
    if (used_[index] && t_.tokens[index] != token) {
      bad(at, "token id " + std::to_string(id) + " is given twice");
    }
    auto [it, fresh] = t_.ids.emplace(token, static_cast<int32_t>(id));
    if (!fresh && it->second != id) bad(at, "a token has two ids, one is " + std::to_string(id));
    used_[index] = true;
    t_.tokens[index] = token;
  }

  void read_vocab(const Json& model, const std::string& at) {
    const Json& vocab = json_member(model, "vocab", at);
    if (!vocab.is_object() || vocab.empty()) bad(at, "vocab is not an object of tokens");
    t_.ids.reserve(vocab.size());
    for (const auto& [token, id] : vocab.items()) {
      if (!id.is_number_unsigned()) bad(at, "vocab has an id that is not a whole number");
      place(token, static_cast<int64_t>(std::min<uint64_t>(id.get<uint64_t>(), kMaxId)), at);
    }
  }

  void read_added() {
    const Json* list = find(json_, "added_tokens");
    if (list == nullptr) return;
    const std::string at = what_ + ": added_tokens";
    if (!list->is_array()) bad(at, "is not a list");
    if (list->size() > kMaxAddedTokens) bad(at, "has too many entries");
    for (const Json& entry : *list) {
      AddedToken token;
      token.content = json_string(entry, "content", at);
      const uint64_t id = json_uint(entry, "id", at);
      token.special = flag(entry, "special", false, at);
      token.normalized = flag(entry, "normalized", !token.special, at);
      token.strip_left = flag(entry, "lstrip", false, at);
      token.strip_right = flag(entry, "rstrip", false, at);
      if (flag(entry, "single_word", false, at)) unsupported(at, "single_word");
      place(token.content, static_cast<int64_t>(std::min<uint64_t>(id, kMaxId)), at);
      token.id = static_cast<int32_t>(id);
      if (token.special) t_.special[id] = true;
      added_.push_back(std::move(token));
    }
  }

  // After the normaliser is known: some are looked for in its output.
  void index_added() {
    for (AddedToken& token : added_) {
      if (token.normalized) {
        token.content = t_.normalize(token.content, TextPosition::kStart);
        t_.normalized_added.add(std::move(token));
      } else {
        t_.raw_added.add(std::move(token));
      }
    }
  }

  void read_normalizer() {
    const Json* json = find(json_, "normalizer");
    if (json == nullptr) return;
    const std::string at = what_ + ": normalizer";
    using Kind = NormalizerStep::Kind;
    for (const Json* step : flatten(*json, "normalizers", at)) {
      const std::string type = type_of(*step, at);
      if (type == "NFC") {
        t_.normalizer.push_back({Kind::kNfc, "", ""});
      } else if (type == "Prepend") {
        t_.normalizer.push_back({Kind::kPrepend, json_string(*step, "prepend", at), ""});
      } else if (type == "Replace") {
        const std::string from = json_string(json_member(*step, "pattern", at), "String", at);
        if (from.empty()) bad(at, "Replace has an empty pattern");
        t_.normalizer.push_back({Kind::kReplace, from, json_string(*step, "content", at)});
      } else {
        unsupported(at, "type \"" + type + "\"");
      }
    }
  }

  void read_pre_tokenizer() {
    const Json* json = find(json_, "pre_tokenizer");
    if (json == nullptr) return;
    const std::string at = what_ + ": pre_tokenizer";
    for (const Json* step : flatten(*json, "pretokenizers", at)) {
      const std::string type = type_of(*step, at);
      if (t_.byte_level) bad(at, "ByteLevel is not the last step");
      if (type == "ByteLevel") {
        t_.byte_level = true;
        if (flag(*step, "add_prefix_space", true, at)) unsupported(at, "add_prefix_space");
        if (flag(*step, "use_regex", true, at)) t_.splits.emplace_back(kGpt2Pattern, at);
      } else if (type == "Split") {
        if (json_string(*step, "behavior", at) != "Isolated" || flag(*step, "invert", false, at)) {
          unsupported(at, "a Split that is not Isolated");
        }
        const Json& pattern = json_member(*step, "pattern", at);
        t_.splits.emplace_back(json_string(pattern, "Regex", at), at);
      } else if (type == "Digits") {
        const bool single = flag(*step, "individual_digits", false, at);
        t_.splits.emplace_back(single ? kDigitPattern : kDigitsPattern, at);
      } else if (type == "Metaspace") {
        read_metaspace(*step, at);
      } else {
        unsupported(at, "type \"" + type + "\"");
      }
    }
  }

  void read_metaspace(const Json& json, const std::string& at) {
    if (json_string(json, "replacement", at) != kMetaspace) unsupported(at, "replacement");
    using Prepend = Metaspace::Prepend;
    t_.metaspace.used = true;
    t_.metaspace.split = flag(json, "split", true, at);
    const std::string scheme = find(json, "prepend_scheme") != nullptr
                                   ? json_string(json, "prepend_scheme", at)
                               : flag(json, "add_prefix_space", true, at) ? "always"
                                                                          : "never";
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      unsupported(at, "prepend_scheme \"" + scheme + "\"");
    }
    t_.metaspace.prepend = scheme == "always"  ? Prepend::kAlways
                           : scheme == "first" ? Prepend::kFirst
                                               : Prepend::kNever;
  }

  void read_merges(const Json& model, const std::string& at) {
    const Json& merges = json_member(model, "merges", at);
    if (!merges.is_array()) bad(at, "merges is not a list");
    t_.merges.reserve(merges.size());
    uint32_t rank = 0;
    for (const Json& merge : merges) {
      const std::string where = at + ": merges[" + std::to_string(rank) + "]";
      std::string left, right;
      if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        left = merge[0].get<std::string>();
        right = merge[1].get<std::string>();
      } else if (merge.is_string()) {
        const std::string text = merge.get<std::string>();
        const size_t space = text.find(' ');
        if (space == std::string::npos) bad(where, "is not a pair");
        left = text.substr(0, space);
        right = text.substr(space + 1);
      } else {
        bad(where, "is not a pair");
      }
      t_.add_merge(left, right, rank++, where);
    }
  }

  void read_decoder() {
    const Json* json = find(json_, "decoder");
    if (json == nullptr) return;
    const std::string at = what_ + ": decoder";
    for (const Json* step : flatten(*json, "decoders", at)) {
      const std::string type = type_of(*step, at);
      if (type == "Strip")
        t_.strip_leading_space =
            find(*step, "start") != nullptr && json_uint(*step, "start", at) > 0;
      if (type == "Metaspace") {
        t_.strip_leading_space = t_.metaspace.prepend != Metaspace::Prepend::kNever;
      }
    }
  }

  // Only whether texts begin with BOS matters; pairs of texts are not encoded here.
  void read_post_processor() {
    const Json* json = find(json_, "post_processor");
    if (json == nullptr) return;
    const std::string at = what_ + ": post_processor";
    for (const Json* step : flatten(*json, "processors", at)) {
      if (type_of(*step, at) != "TemplateProcessing") continue;
      const Json& single = json_member(*step, "single", at);
      if (!single.is_array() || single.empty()) bad(at, "single is not a list");
      const Json* token = find(single[0], "SpecialToken");
      if (token == nullptr) continue;
      auto it = t_.ids.find(json_string(*token, "id", at));
      if (it == t_.ids.end()) bad(at, "names a token that is not in the vocabulary");
      t_.bos = it->second;
      t_.adds_bos = true;
    }
  }

  const Json& json_;
  const std::string& what_;
  TokenizerData& t_;
  int64_t id_limit_ = 0;
  std::vector<bool> used_;
  std::vector<AddedToken> added_;
};

}  // namespace

void load_tokenizer_json(const Json& json, const std::string& what, TokenizerData& out) {
  JsonLoader(json, what, out).run();
}

}  // namespace ffe::lm
