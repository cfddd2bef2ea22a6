#include "cli/standard_input.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

#include "base/error.hpp"
#include "base/interrupt.hpp"

namespace ffe::cli {
namespace {

constexpr size_t kMaxInput = size_t{16} << 20;

// False at the end.
bool read_more(std::string& buffer) {
  char piece[65536];
  while (true) {
    const ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
    check_interrupt();
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Error(ErrorCode::kIo, std::string("cannot read stdin: ") + strerror(errno));
    buffer.append(piece, static_cast<size_t>(n));
    if (buffer.size() > kMaxInput) {
      throw Error(ErrorCode::kBadInput, "stdin: longer than 16 MiB");
    }
    return n > 0;
  }
}

}  // namespace

std::string read_all_stdin() {
  std::string out;
  while (read_more(out)) {
  }
  return out;
}

std::optional<std::string> StdinLines::next() {
  size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos && !ended_) ended_ = !read_more(buffer_);
  if (end == std::string::npos && buffer_.empty()) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end == std::string::npos ? end : end + 1);
  return line;
}

}  // namespace ffe::cli
