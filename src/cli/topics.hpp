// What `ffe help TOPIC` and the man pages of section 7 say.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ffe::cli {

struct Topic {
  std::string_view name;     // "exit-codes"
  std::string_view summary;  // half a line
  // Paragraphs, parted by empty lines. A line that begins with two spaces stands as it is, except
  // that "  name    text" wraps its text below itself.
  std::string_view text;
};

const std::vector<Topic>& topics();
const Topic* find_topic(std::string_view name);  // null if there is none

// For a terminal of this width.
std::string render(const Topic& topic, size_t width);

}  // namespace ffe::cli
