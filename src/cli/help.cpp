#include "cli/help.hpp"

#include <algorithm>
#include <unistd.h>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/manual.hpp"
#include "cli/text_layout.hpp"
#include "cli/topics.hpp"

namespace ffe::cli {
namespace {

// "  left   right", wrapped; on a narrow terminal the right goes below the left.
std::string entry(const std::string& left, const std::string& right, size_t column, size_t width) {
  std::string out = "  " + left;
  if (right.empty()) return out + "\n";
  if (width < column + 24) return out + "\n      " + wrap(right, width, 6, 6) + "\n";
  const size_t used = 2 + display_width(left);
  if (used + 2 > column) {
    out += "\n" + std::string(column, ' ');
  } else {
    out += std::string(column - used, ' ');
  }
  return out + wrap(right, width, column, column) + "\n";
}

std::string section(const std::string& title,
                    const std::vector<std::pair<std::string, std::string>>& entries, size_t width) {
  if (entries.empty()) return "";
  size_t column = 0;
  for (const auto& [left, right] : entries) column = std::max(column, display_width(left) + 4);
  column = std::min<size_t>(column, 28);
  std::string out = "\n" + title + "\n";
  for (const auto& [left, right] : entries) out += entry(left, right, column, width);
  return out;
}

std::string option_left(const Argument& a) {
  return (a.letter.empty() ? "" : a.letter + ", ") + a.name +
         (a.value.empty() ? "" : " " + a.value);
}

std::string option_right(const Argument& a) {
  std::string out = a.help;
  if (!a.standard.empty()) out += " (default: " + a.standard + ")";
  if (a.required) out += " (required)";
  return out;
}

using Entries = std::vector<std::pair<std::string, std::string>>;

std::string commands_by_group(const Command& command, size_t width) {
  std::vector<std::string> groups;
  for (const Command& c : command.commands) {
    if (std::ranges::count(groups, c.group) == 0) groups.push_back(c.group);
  }
  std::string out;
  for (const std::string& group : groups) {
    Entries entries;
    for (const Command& c : command.commands) {
      if (c.group == group) entries.emplace_back(c.name, c.summary);
    }
    out += section(groups.size() == 1 ? "Commands" : group, entries, width);
  }
  return out;
}

// The words name a command or a topic.
std::string help_about(const Command& root, const std::vector<std::string>& words, size_t width) {
  const Command* at = &root;
  for (const std::string& word : words) {
    const auto next = std::ranges::find(at->commands, word, &Command::name);
    if (next != at->commands.end()) {
      at = &*next;
      continue;
    }
    const Topic* topic = find_topic(word);
    if (topic != nullptr && words.size() == 1) return render(*topic, width);
    std::vector<std::string> names;
    for (const Command& c : at->commands) names.push_back(c.name);
    if (at == &root) {
      for (const Topic& t : topics()) names.emplace_back(t.name);
    }
    const std::string near = nearest(word, names);
    throw Error(ErrorCode::kUsage, "no help on \"" + word + "\"",
                near.empty() ? "ffe help lists commands and topics" : "did you mean " + near + "?");
  }
  return help_text(*at, width);
}

Json to_json(const Argument& a) {
  Json out = {{"name", a.name}, {"help", a.help}, {"required", a.required}};
  if (!a.letter.empty()) out["letter"] = a.letter;
  if (!a.value.empty()) out["value"] = a.value;
  if (!a.standard.empty()) out["default"] = a.standard;
  return out;
}

Json to_json(const Command& c) {
  Json out = {{"command", c.path},        {"summary", c.summary},
              {"usage", usage(c)},        {"arguments", Json::array()},
              {"options", Json::array()}, {"commands", Json::array()}};
  for (const Argument& a : c.positionals) out["arguments"].push_back(to_json(a));
  for (const Argument& a : c.options) out["options"].push_back(to_json(a));
  for (const Command& sub : c.commands) out["commands"].push_back(to_json(sub));
  return out;
}

void help(const CLI::App& app, const std::vector<std::string>& words,
          const std::filesystem::path& manual, Terminal& terminal) {
  const Command root = describe(app);
  if (!manual.empty()) {
    const size_t pages = write_manual(root, manual);
    terminal.step("Written", std::to_string(pages) + " man pages");
    terminal.result(terminal.json() ? Json{{"folder", manual.string()}, {"pages", pages}}.dump()
                                    : manual.string());
    return;
  }
  std::string text = help_about(root, words, output_width(STDOUT_FILENO));
  if (text.ends_with('\n')) text.pop_back();
  if (!terminal.json()) return terminal.result(text);
  const Topic* topic = words.size() == 1 ? find_topic(words.front()) : nullptr;
  if (topic != nullptr) {
    terminal.result(Json{{"topic", topic->name}, {"text", topic->text}}.dump());
    return;
  }
  const Command* at = &root;
  for (const std::string& word : words) {
    at = &*std::ranges::find(at->commands, word, &Command::name);
  }
  terminal.result(to_json(*at).dump());
}

}  // namespace

std::string help_text(const Command& command, size_t width) {
  const bool program = command.path == command.name;
  std::string out = "usage: " + wrap(usage(command), width, 11, 7) + "\n\n";
  out += wrap(command.summary, width) + "\n";
  out += commands_by_group(command, width);
  Entries arguments, options, subjects;
  for (const Argument& a : command.positionals) arguments.emplace_back(a.name, a.help);
  for (const Argument& a : command.options) {
    options.emplace_back(option_left(a), option_right(a));
  }
  out += section("Arguments", arguments, width) + section("Options", options, width);
  if (!command.examples.empty()) {
    out += "\nExamples\n";
    for (const std::string& example : command.examples) out += "  " + example + "\n";
  }
  if (!program) {
    return out + "\n" + wrap("Also: --json, -q and --log-level; ffe help output", width) + "\n";
  }
  for (const Topic& t : topics()) subjects.emplace_back(t.name, t.summary);
  out += section("Topics of ffe help", subjects, width);
  return out + "\n" +
         wrap(
             "Exit codes: 0 done, 1 failed, 2 usage, 3 attestation refused, 4 key, 5 session "
             "state, 6 network or chain, 7 gate rejected, 130 interrupted",
             width) +
         "\n";
}

void add_help(CLI::App& app, Context& context) {
  struct Options {
    std::vector<std::string> words;
    std::filesystem::path manual;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("help", "About a command or a topic");
  command->add_option("words", options->words, "A command, such as session open, or a topic");
  command->add_option("--manual", options->manual, "Write all man pages into this folder instead");
  command->footer("ffe help exit-codes\nffe help session open");
  command->callback([&app, &context, options] {
    context.chosen = [&app, options](Terminal& t) {
      help(app, options->words, options->manual, t);
    };
  });
}

}  // namespace ffe::cli
