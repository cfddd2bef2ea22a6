#include "session/recipe.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>

#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/keccak.hpp"
#include "session/json_fields.hpp"

namespace ffe::session {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxText = 256u << 10;  // the texts travel in a chain event
constexpr size_t kMaxFiles = 1024;
constexpr std::array<std::string_view, 7> kTargets = {"q", "k", "v", "o", "gate", "up", "down"};

[[noreturn]] void bad(const std::string& field, const std::string& rule) {
  throw Error(ErrorCode::kBadInput, field + " must be " + rule, "change it in the session's terms");
}

void check_range(const std::string& field, uint64_t value, uint64_t low, uint64_t high) {
  if (value < low || value > high) {
    bad(field, "from " + std::to_string(low) + " to " + std::to_string(high) + ", not " +
                   std::to_string(value));
  }
}

void check_word(const std::string& field, const std::string& value,
                std::initializer_list<std::string_view> words) {
  std::string list;
  for (std::string_view word : words) {
    if (word == value) return;
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  bad(field, "one of " + list);
}

void check_targets(const std::vector<std::string>& targets) {
  if (targets.empty()) bad("recipe.targets", "at least one projection");
  auto next = kTargets.begin();
  for (const std::string& target : targets) {
    next = std::find(next, kTargets.end(), target);
    if (next == kTargets.end()) {
      bad("recipe.targets", "a selection of q, k, v, o, gate, up, down in this order");
    }
    ++next;
  }
}

bool good_path(std::string_view path) {
  if (path.empty() || path.size() > 255 ||
      path.find_first_of(std::string_view("\\\0", 2)) != path.npos) {
    return false;
  }
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

// The files of a Hugging Face folder that decide what the model computes.
bool part_of_model(const fs::path& path) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors.index.json",
      "chat_template.jinja"};
  const std::string name = path.filename().string();
  return path.extension() == ".safetensors" ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

ModelFileEntry entry_of(const fs::path& file, std::string name) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(ErrorCode::kIo, file.string() + ": cannot be read", "check the path");
  crypto::Sha256 hasher;
  Bytes buffer(size_t{1} << 20);
  uint64_t size = 0;
  while (in) {
    in.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size()));
    const auto n = static_cast<size_t>(in.gcount());
    hasher.update(ByteView(buffer).first(n));
    size += n;
  }
  if (in.bad()) throw Error(ErrorCode::kIo, file.string() + ": reading failed");
  return {std::move(name), hasher.finish(), size};
}

std::vector<fs::path> model_paths(const fs::path& model) {
  std::error_code code;
  if (fs::is_regular_file(model, code)) return {model};
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(model, code)) {
    if (entry.is_regular_file(code) && part_of_model(entry.path())) out.push_back(entry.path());
  }
  if (code || out.empty()) {
    throw Error(ErrorCode::kIo, model.string() + ": no model here",
                "give a .gguf file or a folder with config.json and *.safetensors");
  }
  return out;
}

constexpr uint32_t kProviderTokens = 512;      // of a row
constexpr uint32_t kProviderAccumulation = 4;  // batches a step
constexpr uint32_t kMaxProviderSteps = 1'000'000;
constexpr size_t kMaxUrl = 200;

// Where rows may be sent: a host and perhaps a path, nothing that a log or a header could choke on.
bool good_url(std::string_view url) {
  size_t scheme = url.starts_with("https://") ? 8 : url.starts_with("http://") ? 7 : 0;
  return scheme != 0 && url.size() > scheme && url.size() <= kMaxUrl && !url.ends_with('/') &&
         std::all_of(url.begin(), url.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                  std::string_view(":/.-_[]").find(c) != std::string_view::npos;
         });
}

// The provider trains as it does; a recipe that says otherwise would not be the truth.
void check_same(const std::string& field, uint64_t value, uint64_t provider) {
  if (value != provider) {
    bad(field, std::to_string(provider) + " with trainer 0g-compute, not " + std::to_string(value));
  }
}

void check_compute(const Recipe& r) {
  const ComputeProvider& c = *r.compute;
  if (c.provider.is_zero()) bad("recipe.compute.provider", "an address that is not zero");
  if (c.signer.is_zero()) bad("recipe.compute.signer", "an address that is not zero");
  if (!good_url(c.url)) {
    bad("recipe.compute.url",
        "http(s)://HOST of at most 200 plain characters, without / at its end");
  }
  if (c.max_fee.is_zero()) bad("recipe.compute.maxFee", "above 0 wei");
  check_range("recipe.compute.batchSize", c.batch_size, 1, 4);
  check_range("recipe.compute.maxSteps", c.max_steps, 0, kMaxProviderSteps);
  check_range("recipe.epochs", r.epochs, 1, 10);
  check_range("recipe.learningRateNano", r.learning_rate_nano, 10'000, 1'000'000);
  check_range("recipe.sequenceLength", r.sequence_length, 8, kProviderTokens);
  const Recipe theirs = as_provider_trains(r);
  check_same("recipe.rank", r.rank, theirs.rank);
  check_same("recipe.alpha", r.alpha, theirs.alpha);
  check_same("recipe.dropoutMicro", r.dropout_micro, theirs.dropout_micro);
  check_same("recipe.warmupSteps", r.warmup_steps, theirs.warmup_steps);
  check_same("recipe.weightDecayMicro", r.weight_decay_micro, theirs.weight_decay_micro);
  check_same("recipe.clipMicro", r.clip_micro, theirs.clip_micro);
  check_same("recipe.tokensPerStep", r.tokens_per_step, theirs.tokens_per_step);
  check_word("recipe.schedule", r.schedule, {theirs.schedule});
  check_word("recipe.loss", r.loss, {theirs.loss});
  if (r.targets != theirs.targets) bad("recipe.targets", "all seven with trainer 0g-compute");
}

Json compute_json(const ComputeProvider& c) {
  return {{"provider", to_hex0x(c.provider.bytes)},
          {"signer", to_hex0x(c.signer.bytes)},
          {"url", c.url},
          {"baseModel", to_hex0x(c.base_model.bytes)},
          {"maxFee", c.max_fee.to_string()},
          {"batchSize", c.batch_size},
          {"maxSteps", c.max_steps}};
}

ComputeProvider compute_from(const Json& json) {
  Fields f(json, "recipe.compute");
  ComputeProvider c;
  f.get("provider", c.provider);
  f.get("signer", c.signer);
  f.get("url", c.url);
  f.get("baseModel", c.base_model);
  f.get("maxFee", c.max_fee);
  f.get("batchSize", c.batch_size);
  f.get("maxSteps", c.max_steps);
  f.done();
  return c;
}

}  // namespace

Recipe as_provider_trains(Recipe r) {
  r.rank = 8;
  r.alpha = 32;
  r.dropout_micro = 100'000;
  r.targets = Recipe{}.targets;
  r.schedule = "cosine";
  r.warmup_steps = 10;
  r.weight_decay_micro = 0;
  r.clip_micro = 1'000'000;
  r.loss = "text";
  const uint32_t batch = r.compute ? r.compute->batch_size : ComputeProvider{}.batch_size;
  r.tokens_per_step = kProviderTokens * kProviderAccumulation * batch;
  return r;
}

std::string who_sees_rows(const Recipe& recipe) {
  if (!leaves_enclave(recipe) || !recipe.compute) return {};
  const session::ComputeProvider& c = *recipe.compute;
  return "these terms send all accepted rows out of the enclave to the 0G Compute provider " +
         crypto::checksum_address(c.provider) + (c.url.empty() ? "" : " at " + c.url) +
         ", which trains on them and can read them";
}

void check(const Recipe& r) {
  check_word("recipe.trainer", r.trainer, {kEnclaveTrainer, kComputeTrainer});
  check_word("recipe.numericPath", r.numeric_path,
             {"amx-bf16", "avx512-bf16", "f32", "bf16-emulated"});
  check_range("recipe.rank", r.rank, 1, 256);
  check_range("recipe.alpha", r.alpha, 1, 1024);
  check_range("recipe.dropoutMicro", r.dropout_micro, 0, 999'999);
  check_targets(r.targets);
  check_range("recipe.learningRateNano", r.learning_rate_nano, 1, 100'000'000);
  check_word("recipe.schedule", r.schedule, {"cosine", "linear", "constant"});
  check_range("recipe.warmupSteps", r.warmup_steps, 0, 1'000'000);
  check_range("recipe.weightDecayMicro", r.weight_decay_micro, 0, 1'000'000);
  check_range("recipe.clipMicro", r.clip_micro, 0, 1'000'000'000);
  check_range("recipe.epochs", r.epochs, 1, 100);
  check_range("recipe.tokensPerStep", r.tokens_per_step, 8, 1u << 20);
  check_range("recipe.sequenceLength", r.sequence_length, 8,
              std::min<uint32_t>(131'072, r.tokens_per_step));
  check_word("recipe.loss", r.loss, {"answers", "text"});
  check_word("recipe.systemPrompt", r.system_prompt, {"none", "model"});
  if (leaves_enclave(r) != r.compute.has_value()) {
    bad("recipe.compute", "there with trainer 0g-compute, and only then");
  }
  if (r.compute) {
    check_compute(r);
  } else {
    check_word("recipe.loss", r.loss, {"answers"});
  }
}

std::string to_text(const Recipe& r) {
  check(r);
  Json json = {{"format", "ffe.recipe.v1"},
               {"trainer", r.trainer},
               {"numericPath", r.numeric_path},
               {"rank", r.rank},
               {"alpha", r.alpha},
               {"dropoutMicro", r.dropout_micro},
               {"targets", r.targets},
               {"learningRateNano", r.learning_rate_nano},
               {"schedule", r.schedule},
               {"warmupSteps", r.warmup_steps},
               {"weightDecayMicro", r.weight_decay_micro},
               {"clipMicro", r.clip_micro},
               {"epochs", r.epochs},
               {"tokensPerStep", r.tokens_per_step},
               {"sequenceLength", r.sequence_length},
               {"loss", r.loss},
               {"systemPrompt", r.system_prompt}};
  if (r.compute) json["compute"] = compute_json(*r.compute);
  return canonical_json(json);
}

Recipe parse_recipe(std::string_view text) {
  const Json json = parse_canonical(text, "recipe", kMaxText);
  Fields f(json, "recipe");
  Recipe r;
  f.expect("format", "ffe.recipe.v1");
  f.get("trainer", r.trainer);
  f.get("numericPath", r.numeric_path);
  f.get("rank", r.rank);
  f.get("alpha", r.alpha);
  f.get("dropoutMicro", r.dropout_micro);
  r.targets.clear();
  f.each("targets", kTargets.size(), [&](const Json& item, const std::string& where) {
    if (!item.is_string()) bad_field(where, "is not a string");
    r.targets.push_back(item.get<std::string>());
  });
  f.get("learningRateNano", r.learning_rate_nano);
  f.get("schedule", r.schedule);
  f.get("warmupSteps", r.warmup_steps);
  f.get("weightDecayMicro", r.weight_decay_micro);
  f.get("clipMicro", r.clip_micro);
  f.get("epochs", r.epochs);
  f.get("tokensPerStep", r.tokens_per_step);
  f.get("sequenceLength", r.sequence_length);
  f.get("loss", r.loss);
  f.get("systemPrompt", r.system_prompt);
  if (json.contains("compute")) r.compute = compute_from(f.member("compute"));
  f.done();
  check(r);
  return r;
}

void check(const BaseModelManifest& m) {
  if (m.name.empty() || m.name.size() > 200) bad("model.name", "1 to 200 bytes");
  if (m.files.empty() || m.files.size() > kMaxFiles) bad("model.files", "1 to 1024 files");
  for (size_t i = 0; i < m.files.size(); ++i) {
    const std::string field = "model.files[" + std::to_string(i) + "].path";
    if (!good_path(m.files[i].path)) bad(field, "a relative path without . and ..");
    if (i != 0 && m.files[i].path <= m.files[i - 1].path) bad(field, "above the one before it");
  }
}

std::string to_text(const BaseModelManifest& m) {
  check(m);
  Json files = Json::array();
  for (const ModelFileEntry& f : m.files) {
    files.push_back({{"path", f.path}, {"sha256", to_hex0x(f.sha256.bytes)}, {"size", f.size}});
  }
  return canonical_json({{"format", "ffe.model.v1"}, {"name", m.name}, {"files", files}});
}

BaseModelManifest parse_manifest(std::string_view text) {
  const Json json = parse_canonical(text, "model", kMaxText);
  Fields f(json, "model");
  BaseModelManifest m;
  f.expect("format", "ffe.model.v1");
  f.get("name", m.name);
  f.each("files", kMaxFiles, [&](const Json& item, const std::string& where) {
    Fields e(item, where);
    ModelFileEntry entry;
    e.get("path", entry.path);
    e.get("sha256", entry.sha256);
    e.get("size", entry.size);
    e.done();
    m.files.push_back(std::move(entry));
  });
  f.done();
  check(m);
  return m;
}

BaseModelManifest manifest_of(const fs::path& model, std::string name) {
  BaseModelManifest m{std::move(name), {}};
  for (const fs::path& path : model_paths(model)) {
    m.files.push_back(entry_of(path, path.filename().string()));
  }
  std::sort(m.files.begin(), m.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  check(m);
  return m;
}

void verify_model(const BaseModelManifest& manifest, const fs::path& model) {
  std::error_code code;
  const bool single = fs::is_regular_file(model, code);
  if (single && manifest.files.size() != 1) {
    throw Error(ErrorCode::kCorrupt, model.string() + ": one file, but the manifest lists " +
                                         std::to_string(manifest.files.size()));
  }
  for (const ModelFileEntry& want : manifest.files) {
    const fs::path path = single ? model : model / want.path;
    const ModelFileEntry have = entry_of(path, want.path);
    if (have.size != want.size) {
      throw Error(ErrorCode::kCorrupt,
                  path.string() + ": " + std::to_string(have.size) + " bytes, the manifest says " +
                      std::to_string(want.size),
                  "fetch the base model again");
    }
    if (have.sha256 != want.sha256) {
      throw Error(ErrorCode::kCorrupt,
                  path.string() + ": SHA-256 is " + to_hex(have.sha256.bytes) +
                      ", the manifest says " + to_hex(want.sha256.bytes),
                  "fetch the base model again, or give the one that the session names");
    }
  }
  if (!single) {
    // A file that the manifest does not list could change what the folder computes.
    for (const fs::path& path : model_paths(model)) {
      const std::string name = path.filename().string();
      const bool listed = std::any_of(manifest.files.begin(), manifest.files.end(),
                                      [&](const auto& f) { return f.path == name; });
      if (!listed) {
        throw Error(ErrorCode::kCorrupt, path.string() + ": not in the manifest", "remove it");
      }
    }
  }
}

H256 text_hash(std::string_view canonical_text) {
  return crypto::keccak256(canonical_text);
}

}  // namespace ffe::session
