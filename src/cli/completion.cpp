// All three scripts work alike: walk over the words to find the command that is being typed, then
// offer its commands and options; values of options are files unless something better is known.
#include "cli/completion.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "base/json.hpp"
#include "cli/command.hpp"

namespace ffe::cli {
namespace {

// Options that stand behind every command.
const std::vector<Argument>& everywhere(const Command& root) {
  return root.options;
}

std::string join(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : std::string(between)) + p;
  return out;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// Between single quotes of a POSIX shell.
std::string quoted(const std::string& text) {
  return "'" + replace_all(text, "'", "'\\''") + "'";
}

void add_names(const Argument& a, std::vector<std::string>& out) {
  out.push_back(a.name);
  if (!a.letter.empty()) out.push_back(a.letter);
}

std::vector<std::string> words(const Command& root, const Command& c) {
  std::vector<std::string> out;
  for (const Command& sub : c.commands) out.push_back(sub.name);
  for (const Argument& a : c.options) add_names(a, out);
  if (&c != &root) {
    for (const Argument& a : everywhere(root)) add_names(a, out);
  }
  return out;
}

// Options that take a value, of all commands; --account and --network are known better.
std::vector<std::string> valued(const Command& root) {
  std::set<std::string> out;
  for (const Command* c : flatten(root)) {
    for (const Argument& a : c->options) {
      if (a.value.empty() || a.name == "--account" || a.name == "--network") continue;
      out.insert(a.name);
      if (!a.letter.empty()) out.insert(a.letter);
    }
  }
  return {out.begin(), out.end()};
}

std::string paths(const Command& root) {
  std::vector<std::string> out;
  for (const Command* c : flatten(root)) {
    if (c != &root) out.push_back("\"" + c->path + "\"");
  }
  return join(out, "|");
}

constexpr const char* kAccounts = "ffe key list -q 2>/dev/null | sed 's/^[^ ]* *//'";
constexpr const char* kNetworks =
    "ls \"${XDG_CONFIG_HOME:-$HOME/.config}/ffe/networks\" 2>/dev/null | sed -n 's/\\.json$//p'";

std::string bash(const Command& root) {
  std::string out =
      "# bash completion of ffe\n_ffe() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local at=ffe words i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case \"$at ${COMP_WORDS[i]}\" in\n";
  out += "      " + paths(root) + ") at+=\" ${COMP_WORDS[i]}\" ;;\n    esac\n  done\n";
  out += fmt::format(
      "  case $prev in\n    --account) words=$({}) ;;\n    --network) words=\"devnet $({})\" ;;\n"
      "    {}) COMPREPLY=(); return ;;\n    *)\n      case $at in\n",
      kAccounts, kNetworks, join(valued(root), "|"));
  for (const Command* c : flatten(root)) {
    out += fmt::format("        \"{}\") words=\"{}\" ;;\n", c->path, join(words(root, *c), " "));
  }
  return out +
         "      esac ;;\n  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
         "complete -o default -F _ffe ffe\n";
}

std::string zsh_candidate(const std::string& name, const std::string& help) {
  return quoted(replace_all(name, ":", "\\:") + ":" + help);
}

std::string zsh(const Command& root) {
  std::string out =
      "#compdef ffe\n# zsh completion of ffe\n_ffe() {\n"
      "  local at=ffe i\n  local -a candidates\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n    case \"$at $words[i]\" in\n";
  out += "      " + paths(root) + ") at+=\" $words[i]\" ;;\n    esac\n  done\n";
  out += fmt::format(
      "  case $words[CURRENT-1] in\n"
      "    --account) candidates=(${{(f)\"$({})\"}}) ;;\n"
      "    --network) candidates=(devnet ${{(f)\"$({})\"}}) ;;\n"
      "    {}) _files; return ;;\n    *)\n      case $at in\n",
      kAccounts, kNetworks, join(valued(root), "|"));
  for (const Command* c : flatten(root)) {
    std::vector<std::string> list;
    for (const Command& sub : c->commands) list.push_back(zsh_candidate(sub.name, sub.summary));
    for (const Argument& a : c->options) list.push_back(zsh_candidate(a.name, a.help));
    if (c != &root) {
      for (const Argument& a : everywhere(root)) list.push_back(zsh_candidate(a.name, a.help));
    }
    out += fmt::format("        \"{}\") candidates=({}) ;;\n", c->path, join(list, " "));
  }
  return out +
         "      esac ;;\n  esac\n"
         "  _describe ffe candidates\n  [[ $words[CURRENT] == -* ]] || _files\n}\n"
         "if [[ $funcstack[1] == _ffe ]]; then _ffe \"$@\"; else compdef _ffe ffe; fi\n";
}

std::string fish_quoted(const std::string& text) {
  return "'" + replace_all(replace_all(text, "\\", "\\\\"), "'", "\\'") + "'";
}

std::string fish_option(const Argument& a, const std::string& condition) {
  std::string out = "complete -c ffe " + condition;
  if (a.name.starts_with("--")) out += " -l " + a.name.substr(2);
  const std::string letter = a.name.starts_with("--") ? a.letter : a.name;
  if (!letter.empty()) out += " -s " + letter.substr(1);
  if (a.name == "--account") {
    out += std::string(
        " -x -a '(ffe key list -q 2>/dev/null | string replace -r \"^\\S+\\s+\" \"\")'");
  } else if (a.name == "--network") {
    out += " -r -a devnet";
  } else if (!a.value.empty()) {
    out += " -r -F";
  }
  return out + " -d " + fish_quoted(a.help) + "\n";
}

std::string fish(const Command& root) {
  std::vector<std::string> all;
  for (const Command* c : flatten(root)) {
    if (c != &root) all.push_back(fish_quoted(c->path));
  }
  std::string out =
      "# fish completion of ffe\nfunction __ffe_at\n  set -l at ffe\n"
      "  for word in (commandline -opc)[2..-1]\n    if contains -- \"$at $word\" " +
      join(all, " ") +
      "\n      set at \"$at $word\"\n    end\n  end\n  test \"$at\" = \"$argv\"\nend\n";
  for (const Command* c : flatten(root)) {
    const std::string condition = "-n " + fish_quoted("__ffe_at " + c->path);
    for (const Command& sub : c->commands) {
      out += "complete -c ffe " + condition + " -f -a " + sub.name + " -d " +
             fish_quoted(sub.summary) + "\n";
    }
    if (c == &root) continue;
    for (const Argument& a : c->options) out += fish_option(a, condition);
  }
  for (const Argument& a : everywhere(root)) out += fish_option(a, "");
  return out;
}

}  // namespace

std::string completion_script(const Command& root, const std::string& shell) {
  if (shell == "bash") return bash(root);
  if (shell == "zsh") return zsh(root);
  if (shell == "fish") return fish(root);
  throw Error(ErrorCode::kUsage, "no completion for \"" + shell + "\"", "bash, zsh or fish");
}

void add_completion(CLI::App& app, Context& context) {
  auto shell = std::make_shared<std::string>();
  auto* command =
      app.add_subcommand("completion", "A script that completes commands in your shell");
  command->add_option("shell", *shell, "bash, zsh or fish")->required();
  command->footer(
      "source <(ffe completion bash)\n"
      "ffe completion zsh > ~/.zfunc/_ffe\n"
      "ffe completion fish > ~/.config/fish/completions/ffe.fish");
  command->callback([&app, &context, shell] {
    context.chosen = [&app, shell](Terminal& terminal) {
      std::string script = completion_script(describe(app), *shell);
      script.pop_back();
      terminal.result(terminal.json() ? Json{{"shell", *shell}, {"script", script}}.dump()
                                      : script);
    };
  });
}

}  // namespace ffe::cli
