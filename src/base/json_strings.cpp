#include "base/json_strings.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <emmintrin.h>

namespace ffe {
namespace {

constexpr size_t kLong = 1024;

bool is_key(std::string_view document, size_t closing_quote) {
  const size_t next = document.find_first_not_of(" \t\r\n", closing_quote + 1);
  return next != std::string_view::npos && document[next] == ':';
}

}  // namespace

size_t json_string_end(std::string_view text, size_t quote) {
  for (size_t end = quote;;) {
    end = text.find('"', end + 1);
    if (end == std::string_view::npos) return end;
    size_t first = end;  // of the backslashes before it
    while (first > quote + 1 && text[first - 1] == '\\') --first;
    if ((end - first) % 2 == 0) return end;
  }
}

// 16 bytes at a time, without early exit. As signed numbers the bytes above 127 are below ' ' too.
bool is_plain_json_string(std::string_view content) {
  __m128i odd = _mm_setzero_si128();
  for (size_t at = 0; at < content.size(); at += 16) {
    char bytes[16];
    const char* from = content.data() + at;
    if (content.size() - at < 16) {
      std::memset(bytes, 'a', 16);
      from = static_cast<char*>(std::memcpy(bytes, from, content.size() - at));
    }
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    const __m128i control = _mm_cmplt_epi8(v, _mm_set1_epi8(' '));
    const __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    odd = _mm_or_si128(odd, _mm_or_si128(control, _mm_or_si128(quote, backslash)));
  }
  return _mm_movemask_epi8(odd) == 0;
}

size_t CutJson::original_offset(size_t offset) const {
  size_t out = offset;
  for (const Cut& cut : cuts) {
    if (cut.at < offset) out += cut.content.size();
  }
  return out;
}

CutJson cut_long_strings(std::string_view document) {
  CutJson out;
  size_t copied = 0, ordinal = 0;
  for (size_t at = document.find('"'); at != std::string_view::npos; ++ordinal) {
    const size_t end = json_string_end(document, at);
    if (end == std::string_view::npos) break;
    const std::string_view content = document.substr(at + 1, end - at - 1);
    if (content.size() >= kLong && !is_key(document, end) && is_plain_json_string(content)) {
      out.text += document.substr(copied, at + 1 - copied);
      out.cuts.push_back({ordinal, out.text.size(), content});
      copied = end;
    }
    at = document.find('"', end + 1);
  }
  if (!out.cuts.empty()) out.text += document.substr(copied);
  return out;
}

}  // namespace ffe
