#include "inference/sse.hpp"

#include "base/error.hpp"

namespace ffe::inference {
namespace {

constexpr size_t kMaxEvent = size_t{1} << 20;

}  // namespace

std::string sse_event(std::string_view data) {
  return "data: " + std::string(data) + "\n\n";
}

void SseReader::push(std::string_view bytes, const OnData& on_data) {
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    line_ += bytes.substr(0, end);
    if (line_.size() + data_.size() > kMaxEvent) {
      throw Error(ErrorCode::kBadInput, "an event of the stream is larger than 1 MiB");
    }
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    line(line_, on_data);
    line_.clear();
  }
}

// An empty line ends an event; lines of other fields and comments say nothing to us.
void SseReader::line(std::string_view text, const OnData& on_data) {
  if (text.empty()) {
    if (has_data_) on_data(data_);
    data_.clear();
    has_data_ = false;
    return;
  }
  if (!text.starts_with("data:")) return;
  text.remove_prefix(5);
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += text;
  has_data_ = true;
}

}  // namespace ffe::inference
