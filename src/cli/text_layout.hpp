// Text for a terminal of any width and any locale.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ffe::cli {

// Columns that the text takes: code points; colour sequences take none. (Nothing that FFE prints
// itself is wider than one column a code point.)
size_t display_width(std::string_view text);

// The beginning that fits, with "…" where something was cut. Colour sequences are kept whole.
std::string fit(std::string_view text, size_t width);

// Words into lines of at most `width` columns; every line after the first begins with `indent`
// spaces, and the first is taken to begin at column `begin` already. A longer word gets a line of
// its own.
std::string wrap(std::string_view text, size_t width, size_t indent = 0, size_t begin = 0);

// The terminal's width behind this descriptor, else $COLUMNS, else 80.
size_t output_width(int fd);

// Whether the locale's encoding is UTF-8 (LC_ALL, LC_CTYPE, LANG, in this order).
bool utf8_locale();

// The same in ASCII: "→" as "->", "…" as "...", blocks as "#"; what has no likeness as "?".
std::string to_ascii(std::string_view text);

}  // namespace ffe::cli
