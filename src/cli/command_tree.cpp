#include "cli/command_tree.hpp"

#include <algorithm>
#include <sstream>

namespace ffe::cli {
namespace {

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return text;
}

// What stands for the value: words of the parser are not words for people.
std::string value_name(const CLI::Option& option, const std::string& name) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  if (type.starts_with("INT") || type.starts_with("UINT")) return "N";
  if (type.starts_with("FLOAT")) return "X";
  if (type.starts_with("TEXT")) return upper(name);
  return type;
}

Argument argument(const CLI::Option& option) {
  Argument out;
  const bool positional = option.get_positional();
  if (positional) {
    out.name = upper(option.get_name(true));
  } else {
    if (!option.get_lnames().empty()) out.name = "--" + option.get_lnames().front();
    if (!option.get_snames().empty()) out.letter = "-" + option.get_snames().front();
    if (out.name.empty()) std::swap(out.name, out.letter);
    const std::string bare = out.name.substr(out.name.find_first_not_of('-'));
    out.value = value_name(option, bare);
  }
  out.help = option.get_description();
  out.standard = option.get_default_str();
  out.required = option.get_required();
  out.many = option.get_items_expected_max() > 1;
  return out;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

Command describe_below(const CLI::App& app, const std::string& parent) {
  Command out;
  out.name = app.get_name();
  out.path = parent.empty() ? out.name : parent + " " + out.name;
  out.group = app.get_group();
  out.summary = app.get_description();
  std::istringstream examples(parent.empty() ? "" : app.get_footer());
  for (std::string line; std::getline(examples, line);) {
    if (!line.empty()) out.examples.push_back(line);
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    (option->get_positional() ? out.positionals : out.options).push_back(argument(*option));
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_group().empty()) out.commands.push_back(describe_below(*sub, out.path));
  }
  return out;
}

void collect(const Command& command, std::vector<const Command*>& out) {
  out.push_back(&command);
  for (const Command& sub : command.commands) collect(sub, out);
}

}  // namespace

Command describe(const CLI::App& app) {
  std::string parent;
  for (const CLI::App* p = app.get_parent(); p != nullptr; p = p->get_parent()) {
    parent = p->get_name() + (parent.empty() ? "" : " ") + parent;
  }
  return describe_below(app, parent);
}

std::string usage(const Command& command) {
  std::string out = command.path;
  if (!command.commands.empty()) out += " COMMAND";
  for (const Argument& a : command.positionals) {
    const std::string name = a.name + (a.many ? "…" : "");
    out += a.required ? " " + name : " [" + name + "]";
  }
  for (const Argument& a : command.options) {
    if (a.required) out += " " + a.name + " " + a.value;
  }
  return out + " [OPTIONS]";
}

std::vector<const Command*> flatten(const Command& root) {
  std::vector<const Command*> out;
  collect(root, out);
  return out;
}

std::string nearest(std::string_view typed, const std::vector<std::string>& names) {
  std::string best;
  size_t distance = std::max<size_t>(2, typed.size() / 3) + 1;
  for (const std::string& name : names) {
    const size_t d = edit_distance(typed, name);
    if (d < distance) {
      distance = d;
      best = name;
    }
  }
  return best;
}

}  // namespace ffe::cli
