#include "base/file.hpp"
#include "lm/tokenizer_impl.hpp"
#include "lm/weights.hpp"

namespace ffe::lm {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxFile = 64u << 20;

const Json* find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

// A token of tokenizer_config.json: a text, or an object with "content".
const std::string* token_text(const Json& config, std::string_view key) {
  const Json* v = find(config, key);
  if (v != nullptr && v->is_object()) v = find(*v, "content");
  return v != nullptr && v->is_string() ? v->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  auto data = std::make_unique<TokenizerData>();
  load_tokenizer_gguf(file, *data);
  return Tokenizer(std::move(data));
}

Tokenizer Tokenizer::from_json(const Json& json, std::string_view what) {
  auto data = std::make_unique<TokenizerData>();
  load_tokenizer_json(json, std::string(what), *data);
  return Tokenizer(std::move(data));
}

Tokenizer Tokenizer::from_json(const fs::path& path) {
  const std::string what = path.filename().string();
  return from_json(parse_json(read_text_file(path, kMaxFile), what), what);
}

Tokenizer Tokenizer::from(const ModelFile& model) {
  if (model.gguf() != nullptr) return from_gguf(*model.gguf());
  auto data = std::make_unique<TokenizerData>();
  const Json json =
      parse_json(read_text_file(model.path() / "tokenizer.json", kMaxFile), "tokenizer.json");
  load_tokenizer_json(json, "tokenizer.json", *data);
  if (data->tokens.size() > model.config().vocab) {
    throw Error(ErrorCode::kBadInput, "tokenizer.json: has " + std::to_string(data->tokens.size()) +
                                          " tokens, but the model has " +
                                          std::to_string(model.config().vocab));
  }
  if (data->bos < 0) data->bos = model.config().bos;
  if (!model.config().eos.empty()) data->eos = model.config().eos[0];
  const fs::path config = model.path() / "tokenizer_config.json";
  std::error_code ignored;
  if (fs::exists(config, ignored)) {
    const Json c = parse_json(read_text_file(config, kMaxFile), "tokenizer_config.json");
    const auto named = [&](const char* key, int32_t& id) {
      const std::string* text = token_text(c, key);
      if (text == nullptr) return;
      if (auto it = data->ids.find(*text); it != data->ids.end()) id = it->second;
    };
    named("bos_token", data->bos);
    named("eos_token", data->eos);
    const Json* adds = find(c, "add_bos_token");
    if (adds != nullptr && adds->is_boolean()) data->adds_bos = adds->get<bool>();
  }
  if (data->bos < 0 || static_cast<size_t>(data->bos) >= data->tokens.size()) {
    data->bos = -1;
    data->adds_bos = false;
  }
  if (data->eos >= static_cast<int32_t>(data->tokens.size())) data->eos = -1;
  return Tokenizer(std::move(data));
}

}  // namespace ffe::lm
