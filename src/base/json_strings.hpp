// Long strings in JSON. A segment of 0G Storage is 350 kB of base64 in one string, and the parser
// takes strings byte by byte, so such strings are cut out before it runs and put back afterwards.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace ffe {

// Where the string literal that begins at `quote` ends: the position of its closing quote, or npos.
size_t json_string_end(std::string_view text, size_t quote);

// Whether `content` stands in a JSON string as it is: ASCII without quotes, backslashes, controls.
bool is_plain_json_string(std::string_view content);

struct CutJson {
  struct Cut {
    size_t ordinal;            // among all strings of the document, keys included
    size_t at;                 // in `text`
    std::string_view content;  // in the original
  };
  std::string text;       // the document with "" for each value that is a long plain string
  std::vector<Cut> cuts;  // in order; `text` is empty if there are none

  // A byte offset in `text` as one in the original.
  size_t original_offset(size_t offset) const;
};

// A document is valid if and only if what is cut from it is.
CutJson cut_long_strings(std::string_view document);

// As value.dump(), but quick with long strings.
std::string json_text(const Json& value,
                      Json::error_handler_t on_bad_utf8 = Json::error_handler_t::strict);

}  // namespace ffe
