#define PCRE2_CODE_UNIT_WIDTH 8

#include "lm/split_pattern.hpp"

#include <pcre2.h>

#include "base/error.hpp"

namespace ffe::lm {
namespace {

// Unicode's White_Space. PCRE2's own \s also takes U+180E, which left that set in Unicode 6.3.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

std::string with_unicode_space(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\' || i + 1 == pattern.size()) {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      out += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's' && in_class) {
      out += kSpace;
    } else if (escaped == 's' || (escaped == 'S' && !in_class)) {
      out += escaped == 's' ? "[" : "[^";
      out += kSpace;
      out += ']';
    } else {
      out += '\\';
      out += escaped;
    }
  }
  return out;
}

struct MatchData {
  explicit MatchData(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)) {}
  ~MatchData() { pcre2_match_data_free(data); }
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  pcre2_match_data* data;
};

}  // namespace

struct SplitPattern::Impl {
  pcre2_code* code = nullptr;
  ~Impl() { pcre2_code_free(code); }
};

SplitPattern::SplitPattern(SplitPattern&&) noexcept = default;
SplitPattern& SplitPattern::operator=(SplitPattern&&) noexcept = default;
SplitPattern::~SplitPattern() = default;

SplitPattern::SplitPattern(std::string_view pattern, const std::string& what)
    : impl_(std::make_unique<Impl>()) {
  constexpr size_t kMaxPattern = 4096;
  const std::string portable = with_unicode_space(pattern.substr(0, kMaxPattern));
  int error = 0;
  PCRE2_SIZE offset = 0;
  impl_->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(portable.data()), portable.size(),
                              PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
  if (impl_->code == nullptr || pattern.size() > kMaxPattern) {
    throw Error(ErrorCode::kUnsupported, what + ": cannot use this regular expression");
  }
  pcre2_jit_compile(impl_->code, PCRE2_JIT_COMPLETE);  // matching is interpreted if this fails
}

void SplitPattern::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  const MatchData match(impl_->code);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    int rc =
        pcre2_match(impl_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK, match.data, nullptr);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(impl_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       match.data, nullptr);
    }
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      throw Error(ErrorCode::kUnsupported,
                  "the tokenizer's pattern cannot split this text (PCRE2 error " +
                      std::to_string(rc) + ")");
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.data);
    if (range[1] <= range[0]) {
      // An empty match splits nothing; go on behind the next character.
      do ++at;
      while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80);
      continue;
    }
    if (range[0] > done) pieces.push_back(text.substr(done, range[0] - done));
    pieces.push_back(text.substr(range[0], range[1] - range[0]));
    done = at = range[1];
  }
  if (done < text.size()) pieces.push_back(text.substr(done));
}

}  // namespace ffe::lm
