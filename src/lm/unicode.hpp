// UTF-8 and Unicode's canonical composition.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ffe::lm {

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";

// The length in bytes of the well-formed character at `at`, 0 if the bytes there begin none.
// `incomplete` (optional) is set when they could begin one if more bytes followed.
size_t utf8_length(std::string_view text, size_t at, bool* incomplete = nullptr);
// The code point of the well-formed character of `length` bytes at `at`.
uint32_t utf8_code_point(std::string_view text, size_t at, size_t length);
void append_utf8(std::string& out, uint32_t code_point);

// The offset of the first byte that belongs to no well-formed character; npos if there is none.
size_t find_invalid_utf8(std::string_view text);
// Each maximal part of a broken character becomes U+FFFD (Unicode §3.9, as most decoders do).
std::string repair_utf8(std::string_view text);

bool is_unicode_space(uint32_t code_point);  // the property White_Space

// Normalization Form C (Unicode Standard Annex 15) of well-formed UTF-8.
std::string to_nfc(std::string_view text);

}  // namespace ffe::lm
