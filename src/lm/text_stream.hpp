// The text of an answer while it is drawn: whole characters, cut at stop strings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lm/tokenizer.hpp"

namespace ffe::lm {

// Finds the first of several strings in text that comes in pieces, and holds back what could be the
// beginning of one. The string that is complete first ends the text; of several complete at the
// same byte, the one that begins first.
class StopMatcher {
 public:
  // Throws Error{kUsage} for a string that is empty or not UTF-8.
  explicit StopMatcher(std::vector<std::string> stops);

  // The text that is certain to come before any stop string. After stopped() it gives nothing.
  std::string push(std::string_view text);
  std::string finish();  // what was held back
  bool stopped() const { return !found_.empty(); }
  const std::string& found() const { return found_; }

 private:
  size_t undecided() const;

  std::vector<std::string> stops_;
  std::string held_;
  std::string found_;
};

// Tokens to text that may be shown: never a part of a character, never a part of a stop string.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : decoder_(tokenizer), matcher_(std::move(stops)) {}

  std::string push(int32_t id) { return matcher_.push(decoder_.push(id)); }
  std::string finish();
  bool stopped() const { return matcher_.stopped(); }
  const std::string& found() const { return matcher_.found(); }

 private:
  StreamDecoder decoder_;
  StopMatcher matcher_;
};

}  // namespace ffe::lm
