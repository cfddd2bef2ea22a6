#include "cli/live_screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text_layout.hpp"

namespace ffe::cli {
namespace {

size_t terminal_height() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row - 1u : 23;
}

}  // namespace

void LiveScreen::show(const std::vector<std::string>& lines) {
  const size_t width = output_width(STDERR_FILENO) - 1;
  const size_t count = std::min(lines.size(), terminal_height());
  std::string frame;
  if (shown_ > 0) frame += "\x1b[" + std::to_string(shown_) + "A";
  for (size_t i = 0; i < count; ++i) frame += "\r\x1b[K" + fit(lines[i], width) + "\n";
  frame += "\x1b[J";  // what was longer before
  terminal_.say(frame);
  shown_ = count;
}

}  // namespace ffe::cli
