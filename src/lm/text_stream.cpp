#include "lm/text_stream.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"
#include "lm/unicode.hpp"

namespace ffe::lm {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& s : stops_) {
    if (s.empty()) throw Error(ErrorCode::kUsage, "a stop string is empty");
    if (find_invalid_utf8(s) != std::string_view::npos) {
      throw Error(ErrorCode::kUsage, "a stop string is not UTF-8");
    }
  }
}

// Length of the longest end of `held_` with which a stop string begins.
size_t StopMatcher::undecided() const {
  size_t longest = 0;
  for (const std::string& s : stops_) {
    for (size_t n = std::min(s.size() - 1, held_.size()); n > longest; --n) {
      if (held_.ends_with(std::string_view(s).substr(0, n))) longest = n;
    }
  }
  return longest;
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped()) return {};
  std::string out;
  for (char c : text) {
    held_ += c;
    const std::string* match = nullptr;
    for (const std::string& s : stops_) {
      if (held_.ends_with(s) && (match == nullptr || s.size() > match->size())) match = &s;
    }
    if (match != nullptr) {
      out.append(held_, 0, held_.size() - match->size());
      found_ = *match;
      held_.clear();
      return out;
    }
    const size_t keep = undecided();
    out.append(held_, 0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
  }
  return out;
}

std::string StopMatcher::finish() {
  return std::exchange(held_, {});
}

std::string TextStream::finish() {
  if (stopped()) return {};
  std::string out = matcher_.push(decoder_.finish());
  if (!stopped()) out += matcher_.finish();
  return out;
}

}  // namespace ffe::lm
