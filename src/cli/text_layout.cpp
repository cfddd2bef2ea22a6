#include "cli/text_layout.hpp"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <sys/ioctl.h>
#include <utility>

namespace ffe::cli {
namespace {

// Length of a colour sequence at `at`, 0 if there is none.
size_t escape_at(std::string_view text, size_t at) {
  if (text[at] != '\x1b' || at + 1 >= text.size() || text[at + 1] != '[') return 0;
  size_t end = at + 2;
  while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
  return std::min(end + 1, text.size()) - at;
}

size_t character_at(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end - at;
}

constexpr std::pair<std::string_view, std::string_view> kLikeness[] = {
    {"→", "->"}, {"…", "..."}, {"·", "-"},  {"─", "-"},  {"█", "#"}, {"▏", "."},     {"▎", "."},
    {"▍", ":"},  {"▌", ":"},   {"▋", "+"},  {"▊", "+"},  {"▉", "#"}, {"▕", "["},     {"≤", "<="},
    {"≥", ">="}, {"×", "x"},   {"“", "\""}, {"”", "\""}, {"’", "'"}, {"δ", "delta"}, {"▁", "_"},
    {"▂", "_"},  {"▃", "-"},   {"▄", "-"},  {"▅", "="},  {"▆", "="}, {"▇", "#"}};

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    if (const size_t escape = escape_at(text, i); escape != 0) {
      i += escape;
      continue;
    }
    i += character_at(text, i);
    ++width;
  }
  return width;
}

std::string fit(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::string out;
  bool coloured = false;
  size_t used = 0;
  for (size_t i = 0; i < text.size();) {
    if (const size_t escape = escape_at(text, i); escape != 0) {
      out += text.substr(i, escape);
      coloured = true;
      i += escape;
      continue;
    }
    if (++used == width) break;
    const size_t n = character_at(text, i);
    out += text.substr(i, n);
    i += n;
  }
  return out + "…" + (coloured ? "\x1b[0m" : "");
}

std::string wrap(std::string_view text, size_t width, size_t indent, size_t begin) {
  std::istringstream words{std::string(text)};
  std::string out, word;
  size_t column = begin;
  bool first = true;
  while (words >> word) {
    const size_t n = display_width(word);
    if (!first && column + 1 + n > width) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += n;
    first = false;
  }
  return out;
}

size_t output_width(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  const int n = columns == nullptr ? 0 : std::atoi(columns);
  return n >= 20 && n <= 1000 ? static_cast<size_t>(n) : 80;
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view v = value;
    return v.find("UTF-8") != v.npos || v.find("utf8") != v.npos || v.find("UTF8") != v.npos ||
           v.find("utf-8") != v.npos;
  }
  return false;
}

std::string to_ascii(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t n = character_at(text, i);
    const std::string_view c = text.substr(i, n);
    i += n;
    if (n == 1) {
      out += static_cast<unsigned char>(c[0]) < 0x80 ? c[0] : '?';
      continue;
    }
    const auto* like =
        std::ranges::find(kLikeness, c, &std::pair<std::string_view, std::string_view>::first);
    out += like == std::end(kLikeness) ? "?" : like->second;
  }
  return out;
}

}  // namespace ffe::cli
