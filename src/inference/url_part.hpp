// Words of others in a URL.
#pragma once

#include <cctype>
#include <string>
#include <string_view>

namespace ffe::inference {

// As it may stand in a URL's path or query.
inline std::string url_part(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.') {
      out += c;
    } else {
      const auto b = static_cast<unsigned char>(c);
      out += {'%', kDigits[b >> 4], kDigits[b & 15]};
    }
  }
  return out;
}

}  // namespace ffe::inference
