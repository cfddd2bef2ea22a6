#include "net/json_rpc_ids.hpp"

#include <algorithm>

#include "base/json_strings.hpp"

namespace ffe::net {
namespace {

// Walks over JSON that a real parser has accepted, so it checks only that it ends.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  std::vector<std::string> run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    if (peek() == '{') return {object_id()};
    std::vector<std::string> out;
    if (peek() != '[') return out;
    ++at_;
    while (peek() != ']' && peek() != '\0') {
      const size_t start = at_;
      if (peek() == '{') {
        out.push_back(object_id());
      } else {
        value();
        out.emplace_back();
      }
      if (peek() == ',') ++at_;
      if (at_ == start) break;
    }
    return out;
  }

 private:
  // The next character that is not white space; zero at the end.
  char peek() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  void string() {
    const size_t end = json_string_end(text_, at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
  }

  // Skips one value and returns its text.
  std::string_view value() {
    char first = peek();
    size_t start = at_;
    if (first == '"') {
      string();
    } else if (first == '{' || first == '[') {
      int depth = 0;
      do {
        char c = text_[at_];
        if (c == '"') {
          string();
          continue;
        }
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        ++at_;
      } while (depth > 0 && at_ < text_.size());
    } else {
      at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    }
    at_ = std::min(at_, text_.size());
    return text_.substr(start, at_ - start);
  }

  std::string object_id() {
    std::string id;
    ++at_;
    while (peek() == '"') {
      std::string_view name = value();
      if (peek() == ':') ++at_;
      std::string_view content = value();
      if (name == "\"id\"") id = content;
      if (peek() == ',') ++at_;
    }
    ++at_;
    return id;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::vector<std::string> raw_ids(std::string_view text) {
  return Walker(text).run();
}

}  // namespace ffe::net
