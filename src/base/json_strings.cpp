#include "base/json_strings.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

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

// Eight bytes at a time, without early exit.
bool is_plain_json_string(std::string_view content) {
  constexpr uint64_t kEach = 0x0101010101010101, kHigh = kEach * 0x80;
  // High bits where a byte of `word` is below n <= 128; bytes above 127 are found by themselves.
  auto below = [](uint64_t word, uint64_t n) { return (word - kEach * n) & ~word & kHigh; };
  uint64_t odd = 0;
  for (size_t at = 0; at < content.size(); at += 8) {
    uint64_t word = kEach * 'a';
    std::memcpy(&word, content.data() + at, std::min<size_t>(8, content.size() - at));
    odd |= (word & kHigh) | below(word, 0x20) | below(word ^ (kEach * '"'), 1) |
           below(word ^ (kEach * '\\'), 1);
  }
  return odd == 0;
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
