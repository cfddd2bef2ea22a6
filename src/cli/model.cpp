// ffe model pull, list, inspect: base models in the cache.
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/command.hpp"
#include "cli/download.hpp"
#include "cli/model_facts.hpp"
#include "lm/model_store.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct PullOptions {
  std::string source;
  std::string name;
  std::string sha256;
  bool link = false;
};

bool is_url(const std::string& source) {
  return source.starts_with("http://") || source.starts_with("https://");
}

// The last part of a path or address, without ".gguf".
std::string default_name(std::string source) {
  source = source.substr(0, source.find_first_of("?#"));
  while (source.ends_with('/')) source.pop_back();
  std::string name = source.substr(source.rfind('/') + 1);
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  return name;
}

lm::CachedModel pull_url(const PullOptions& o, const H256* sha256, Terminal& terminal) {
  lm::check_model_name(o.name);
  const fs::path partial = lm::model_cache_dir() / ("." + o.name + ".download.gguf");
  fs::create_directories(lm::model_cache_dir());
  const Progress bar = terminal.bar("Fetching", o.name, "B");
  download(o.source, partial, [&](uint64_t done, uint64_t total) {
    check_interrupt();
    bar(done, total);
  });
  terminal.finish_bar(fmt::format("{}  {}", o.name, format_bytes(fs::file_size(partial))));
  try {
    return lm::adopt_into_cache(partial, o.name, sha256);
  } catch (const Error&) {
    std::error_code ec;
    fs::remove(partial, ec);  // complete, but not what it should be: nothing to resume
    throw;
  }
}

lm::CachedModel pull_local(const PullOptions& o, const H256* sha256, Terminal& terminal) {
  const Progress bar = terminal.bar(o.link ? "Linking" : "Copying", o.name, "B");
  lm::CachedModel model =
      lm::add_to_cache(o.source, o.name, o.link, sha256, [&](uint64_t done, uint64_t total) {
        check_interrupt();
        bar(done, total);
      });
  terminal.finish_bar(fmt::format("{}  {}", o.name, format_bytes(model.bytes)));
  return model;
}

void pull(PullOptions o, Terminal& terminal) {
  if (o.name.empty()) o.name = default_name(o.source);
  H256 wanted;
  if (!o.sha256.empty()) {
    try {
      wanted = h256_from_hex(o.sha256);
    } catch (const Error&) {
      throw Error(ErrorCode::kUsage, "--sha256 is not 64 hexadecimal digits");
    }
  }
  const H256* sha256 = o.sha256.empty() ? nullptr : &wanted;
  const lm::CachedModel model =
      is_url(o.source) ? pull_url(o, sha256, terminal) : pull_local(o, sha256, terminal);
  const std::string found = to_hex(lm::ModelFile::open(model.path).sha256().bytes);
  if (sha256 == nullptr && is_url(o.source)) {
    terminal.warn("nothing proves what this file is: compare its SHA-256 with its publisher's");
  }
  terminal.step("SHA-256", found);
  terminal.hint("ffe chat --model " + model.name);
  if (terminal.json()) {
    terminal.result(Json{{"name", model.name},
                         {"path", model.path.string()},
                         {"bytes", model.bytes},
                         {"sha256", found},
                         {"verified", sha256 != nullptr}}
                        .dump());
  } else {
    terminal.result(model.path.string());
  }
}

void list(Terminal& terminal) {
  const std::vector<lm::CachedModel> models = lm::cached_models();
  const fs::path standard = lm::default_model_path();
  if (terminal.json()) {
    Json out = Json::array();
    for (const lm::CachedModel& m : models) {
      out.push_back({{"name", m.name},
                     {"path", m.path.string()},
                     {"bytes", m.bytes},
                     {"default", m.path == standard}});
    }
    terminal.result(out.dump());
    return;
  }
  if (models.empty()) {
    terminal.hint("ffe model pull FOLDER, FILE.gguf or URL");
    return;
  }
  std::string text;
  for (const lm::CachedModel& m : models) {
    text += fmt::format("{}{:>9}  {}{}", text.empty() ? "" : "\n", format_bytes(m.bytes), m.name,
                        m.path == standard ? "  (default)" : "");
  }
  terminal.result(text);
}

void inspect(const std::string& model, bool check, Terminal& terminal) {
  const lm::ModelFile file = lm::ModelFile::open(lm::find_model(model));
  if (check) file.check_finite();
  const Json facts = model_facts(file);
  terminal.result(terminal.json() ? facts.dump() : facts_text(facts));
}

}  // namespace

void add_model(CLI::App& app, Context& context) {
  auto* model = app.add_subcommand("model", "Base models in the cache");
  model->require_subcommand(1);

  auto* pull_command = model->add_subcommand("pull", "Bring a model into the cache");
  auto o = std::make_shared<PullOptions>();
  pull_command->add_option("source", o->source, "Hugging Face folder, .gguf file or http(s) URL")
      ->required();
  pull_command->add_option("--name", o->name, "Name in the cache (default: the file's)");
  pull_command->add_option("--sha256", o->sha256,
                           "What it must be: of the .gguf file, or a folder's (see: inspect)");
  pull_command->add_flag("--link", o->link, "Link to a local model instead of copying it");
  pull_command->callback([&context, o] { context.chosen = [o](Terminal& t) { pull(*o, t); }; });

  auto* list_command = model->add_subcommand("list", "What is in the cache");
  list_command->callback([&context] { context.chosen = [](Terminal& t) { list(t); }; });

  auto* inspect_command = model->add_subcommand("inspect", "Shape, sizes, tokenizer, memory, hash");
  auto name = std::make_shared<std::string>();
  auto check = std::make_shared<bool>(false);
  inspect_command->add_option("model", *name, "File, folder or name (default: the default model)");
  inspect_command->add_flag("--check", *check, "Read every weight and look for broken ones");
  inspect_command->callback([&context, name, check] {
    context.chosen = [name, check](Terminal& t) { inspect(*name, *check, t); };
  });
}

}  // namespace ffe::cli
