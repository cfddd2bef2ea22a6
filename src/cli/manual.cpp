#include "cli/manual.hpp"

#include <algorithm>
#include <sstream>

#include "base/file.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

// Text that troff takes as it is: backslashes, hyphens of options and leading dots.
std::string escape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool line_begins = i == 0 || text[i - 1] == '\n';
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string page_name(std::string path) {
  std::ranges::replace(path, ' ', '-');
  return path;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string head(const std::string& name, int section, std::string_view summary) {
  return ".TH " + upper(name) + " " + std::to_string(section) +
         " \"\" \"ffe " FFE_VERSION "\" \"FFE\"\n.SH NAME\n" + escape(name) + " \\- " +
         escape(summary) + "\n";
}

std::string bold(const std::string& text) {
  return "\\fB" + escape(text) + "\\fR";
}

std::string option(const Argument& a) {
  std::string out = ".TP\n" + (a.letter.empty() ? "" : bold(a.letter) + ", ") + bold(a.name);
  if (!a.value.empty()) out += " \\fI" + escape(a.value) + "\\fR";
  std::string help = a.help;
  if (!a.standard.empty()) help += " (default: " + a.standard + ")";
  if (a.required && !a.value.empty()) help += " (required)";
  return out + "\n" + (help.empty() ? "\\&" : escape(help)) + "\n";
}

}  // namespace

std::string manual_page(const Command& c) {
  std::string out = head(page_name(c.path), 1, c.summary);
  out += ".SH SYNOPSIS\n" + bold(usage(c)) + "\n";
  if (!c.commands.empty()) {
    out += ".SH COMMANDS\n";
    for (const Command& sub : c.commands) {
      out += ".TP\n" + bold(page_name(sub.path)) + "(1)\n" + escape(sub.summary) + "\n";
    }
  }
  if (!c.positionals.empty()) out += ".SH ARGUMENTS\n";
  for (const Argument& a : c.positionals) out += option(a);
  if (!c.options.empty()) out += ".SH OPTIONS\n";
  for (const Argument& a : c.options) out += option(a);
  if (!c.examples.empty()) out += ".SH EXAMPLES\n";
  for (const std::string& example : c.examples) {
    out += ".PP\n.nf\n" + escape("    " + example) + "\n.fi\n";
  }
  out += ".SH SEE ALSO\n";
  if (c.path != c.name) out += bold("ffe") + "(1), ";
  for (size_t i = 0; i < topics().size(); ++i) {
    out += (i == 0 ? "" : ", ") + bold("ffe-" + std::string(topics()[i].name)) + "(7)";
  }
  return out + "\n";
}

std::string manual_page(const Topic& topic) {
  std::string out = head("ffe-" + std::string(topic.name), 7, topic.summary);
  out += ".SH DESCRIPTION\n";
  std::istringstream lines{std::string(topic.text)};
  bool paragraph = false;
  for (std::string line; std::getline(lines, line);) {
    const size_t gap = line.starts_with("  ") ? line.find("  ", 2) : std::string::npos;
    if (line.empty()) {
      paragraph = true;
    } else if (!line.starts_with("  ")) {
      out += (paragraph ? ".PP\n" : "") + escape(line) + "\n";
      paragraph = false;
    } else if (gap == std::string::npos) {
      out += ".PP\n.nf\n" + escape(line) + "\n.fi\n";
    } else {
      const size_t text = line.find_first_not_of(' ', gap);
      out += ".TP\n" + bold(line.substr(2, gap - 2)) + "\n" + escape(line.substr(text)) + "\n";
    }
  }
  return out + ".SH SEE ALSO\n" + bold("ffe") + "(1)\n";
}

size_t write_manual(const Command& root, const fs::path& folder) {
  fs::create_directories(folder / "man1");
  fs::create_directories(folder / "man7");
  size_t pages = 0;
  for (const Command* c : flatten(root)) {
    write_file_atomic(folder / "man1" / (page_name(c->path) + ".1"), as_bytes(manual_page(*c)));
    ++pages;
  }
  for (const Topic& t : topics()) {
    write_file_atomic(folder / "man7" / ("ffe-" + std::string(t.name) + ".7"),
                      as_bytes(manual_page(t)));
    ++pages;
  }
  return pages;
}

}  // namespace ffe::cli
