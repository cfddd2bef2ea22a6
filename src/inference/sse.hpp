// Server-sent events as OpenAI's streams use them: one JSON text an event, "[DONE]" at the end.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ffe::inference {

inline constexpr std::string_view kStreamEnd = "[DONE]";

std::string sse_event(std::string_view data);

// Takes a stream in pieces of any size and gives the data of each whole event.
class SseReader {
 public:
  using OnData = std::function<void(std::string_view)>;

  // Throws Error{kBadInput} for an event of more than a mebibyte.
  void push(std::string_view bytes, const OnData& on_data);

 private:
  void line(std::string_view text, const OnData& on_data);

  std::string line_, data_;
  bool has_data_ = false;
};

}  // namespace ffe::inference
