#include "lm/unicode.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "lm/nfc_tables.hpp"

namespace ffe::lm {
namespace {

// Hangul syllables are composed by arithmetic (Unicode §3.12).
constexpr uint32_t kHangulS = 0xac00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11a7;
constexpr uint32_t kLCount = 19, kVCount = 21, kTCount = 28, kSCount = kLCount * kVCount * kTCount;

uint8_t combining_class(uint32_t cp) {
  if (cp < 0x300) return 0;
  const NfcClassRange* end = kNfcClasses + kNfcClassCount;
  const NfcClassRange* it = std::upper_bound(
      kNfcClasses, end, cp, [](uint32_t value, const NfcClassRange& r) { return value < r.first; });
  if (it == kNfcClasses || cp > (it - 1)->last) return 0;
  return (it - 1)->combining_class;
}

void decompose(uint32_t cp, std::vector<uint32_t>& out) {
  if (cp >= kHangulS && cp < kHangulS + kSCount) {
    const uint32_t s = cp - kHangulS;
    out.push_back(kHangulL + s / (kVCount * kTCount));
    out.push_back(kHangulV + s % (kVCount * kTCount) / kTCount);
    if (s % kTCount != 0) out.push_back(kHangulT + s % kTCount);
    return;
  }
  const NfcDecomposition* end = kNfcDecompositions + kNfcDecompositionCount;
  const NfcDecomposition* it = std::lower_bound(
      kNfcDecompositions, end, cp,
      [](const NfcDecomposition& d, uint32_t value) { return d.code_point < value; });
  if (it == end || it->code_point != cp) {
    out.push_back(cp);
    return;
  }
  decompose(it->first, out);
  if (it->second != 0) decompose(it->second, out);
}

// The character that two compose to; 0 if none.
uint32_t compose(uint32_t first, uint32_t second) {
  if (first >= kHangulL && first < kHangulL + kLCount && second >= kHangulV &&
      second < kHangulV + kVCount) {
    return kHangulS + ((first - kHangulL) * kVCount + (second - kHangulV)) * kTCount;
  }
  if (first >= kHangulS && first < kHangulS + kSCount && (first - kHangulS) % kTCount == 0 &&
      second > kHangulT && second < kHangulT + kTCount) {
    return first + (second - kHangulT);
  }
  static const std::map<uint64_t, uint32_t> pairs = [] {
    std::map<uint64_t, uint32_t> out;
    for (size_t i = 0; i < kNfcDecompositionCount; ++i) {
      const NfcDecomposition& d = kNfcDecompositions[i];
      if (d.composes != 0) out[uint64_t{d.first} << 32 | d.second] = d.code_point;
    }
    return out;
  }();
  auto it = pairs.find(uint64_t{first} << 32 | second);
  return it == pairs.end() ? 0 : it->second;
}

// Each run of combining marks in order of class, marks of one class as they stood.
void order_marks(std::vector<uint32_t>& cps) {
  for (size_t i = 0; i < cps.size();) {
    if (combining_class(cps[i]) == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < cps.size() && combining_class(cps[end]) != 0) ++end;
    std::stable_sort(
        cps.begin() + static_cast<ptrdiff_t>(i), cps.begin() + static_cast<ptrdiff_t>(end),
        [](uint32_t a, uint32_t b) { return combining_class(a) < combining_class(b); });
    i = end;
  }
}

// Joins each mark to the last starter unless a mark of the same or a higher class, or a starter,
// stands between them.
std::vector<uint32_t> compose_all(const std::vector<uint32_t>& cps) {
  std::vector<uint32_t> out;
  size_t starter = SIZE_MAX;
  uint8_t last_class = 0;
  for (uint32_t cp : cps) {
    const uint8_t ccc = combining_class(cp);
    const bool adjacent = starter != SIZE_MAX && starter + 1 == out.size();
    const bool blocked = !adjacent && (last_class == 0 || last_class >= ccc);
    if (starter != SIZE_MAX && !blocked) {
      if (const uint32_t joined = compose(out[starter], cp); joined != 0) {
        out[starter] = joined;
        continue;
      }
    }
    if (ccc == 0) starter = out.size();
    last_class = ccc;
    out.push_back(cp);
  }
  return out;
}

}  // namespace

size_t utf8_length(std::string_view text, size_t at, bool* incomplete) {
  if (incomplete != nullptr) *incomplete = false;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
  const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= text.size()) {
      if (incomplete != nullptr) *incomplete = true;
      return 0;
    }
    const uint8_t b = byte(at + i);
    if (b < (i == 1 ? low : 0x80) || b > (i == 1 ? high : 0xbf)) return 0;
  }
  return length;
}

uint32_t utf8_code_point(std::string_view text, size_t at, size_t length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  if (length == 1) return byte(0);
  uint32_t cp = byte(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) cp = cp << 6 | (byte(i) & 0x3fu);
  return cp;
}

void append_utf8(std::string& out, uint32_t cp) {
  if (cp < 0x80) {
    out += static_cast<char>(cp);
    return;
  }
  const int more = cp < 0x800 ? 1 : cp < 0x10000 ? 2 : 3;
  constexpr uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(kLead[more] | cp >> (6 * more));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((cp >> (6 * i)) & 0x3f));
}

size_t find_invalid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (const size_t length = utf8_length(text, at); length != 0) {
      out.append(text.substr(at, length));
      at += length;
      continue;
    }
    out += kReplacementCharacter;
    // Skip the longest prefix that could have begun a character.
    size_t end = at + 1;
    bool incomplete = true;
    while (end <= text.size() && incomplete) {
      utf8_length(text.substr(at, end - at), 0, &incomplete);
      if (incomplete) ++end;
    }
    at = std::max(at + 1, std::min(end - 1, text.size()));
  }
  return out;
}

bool is_unicode_space(uint32_t cp) {
  return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
         (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
         cp == 0x205f || cp == 0x3000;
}

std::string to_nfc(std::string_view text) {
  // Nothing below U+0300 (lead byte 0xcc) changes: those letters are composed already.
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0xcc; });
  if (plain) return std::string(text);
  std::vector<uint32_t> cps;
  cps.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    decompose(utf8_code_point(text, at, length), cps);
    at += length;
  }
  order_marks(cps);
  std::string out;
  out.reserve(text.size());
  for (uint32_t cp : compose_all(cps)) append_utf8(out, cp);
  return out;
}

}  // namespace ffe::lm
