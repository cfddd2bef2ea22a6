#include "cli/terminal.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

#include "base/json.hpp"
#include "cli/text_layout.hpp"

namespace ffe::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kVerbWidth = 12;

double seconds_since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

std::string amount(uint64_t n, const std::string& unit) {
  return unit == "B" ? format_bytes(n) : format_count(n) + " " + unit;
}

std::string draw_blocks(double share, int width) {
  static const char* const kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  int eighths = static_cast<int>(share * width * 8);
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  int used = eighths / 8;
  if (eighths % 8 != 0) {
    out += kEighths[eighths % 8];
    ++used;
  }
  out.append(static_cast<size_t>(std::max(0, width - used)), ' ');
  return out;
}

}  // namespace

Terminal::Terminal(OutputOptions options)
    : options_(options),
      terminal_(isatty(STDERR_FILENO) == 1),
      ascii_(terminal_ && !utf8_locale()) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  bool dumb = term == nullptr || std::string_view(term) == "dumb";
  colour_ = terminal_ && !dumb && (no_colour == nullptr || no_colour[0] == '\0');
}

std::string Terminal::bold(std::string_view text) const {
  return colour_ ? fmt::format("\x1b[1m{}\x1b[0m", text) : std::string(text);
}

// Prose that cannot be written (a closed stderr) does not stop the work.
void Terminal::say(std::string_view text) const {
  const std::string plain = ascii_ ? to_ascii(text) : std::string(text);
  std::fwrite(plain.data(), 1, plain.size(), stderr);
  std::fflush(stderr);
}

void Terminal::clear_bar() {
  if (bar_.active && terminal_ && !options_.quiet) say("\r\x1b[K");
}

void Terminal::step(std::string_view verb, std::string_view text) {
  if (options_.quiet) return;
  clear_bar();
  std::string padded = fmt::format("{:>{}}", verb, kVerbWidth);
  say(fmt::format("{} {}\n", bold(padded), text));
}

void Terminal::note(std::string_view text) {
  clear_bar();
  if (!options_.quiet) say(fmt::format("{}\n", text));
}

void Terminal::warn(std::string_view text) {
  clear_bar();
  say(fmt::format("warning: {}\n", text));
}

void Terminal::hint(std::string_view text) {
  if (!options_.quiet) say(fmt::format("hint: {}\n", text));
}

void Terminal::error(const Error& e) {
  clear_bar();
  bar_.active = false;
  if (options_.json && !result_shown_) {
    Json j = {{"error", {{"code", error_name(e.code())}, {"message", e.what()}}}};
    if (!e.hint().empty()) j["error"]["hint"] = e.hint();
    const std::string document = j.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    std::fwrite(document.data(), 1, document.size(), stdout);
    std::fflush(stdout);
  }
  say(fmt::format("{} {}\n", colour_ ? "\x1b[1;31merror:\x1b[0m" : "error:", e.what()));
  if (!e.hint().empty()) say(fmt::format("hint: {}\n", e.hint()));
}

Progress Terminal::bar(std::string verb, std::string text, std::string unit, uint64_t done_before) {
  bar_ = {std::move(verb),
          std::move(text),
          std::move(unit),
          Clock::now(),
          {},
          done_before,
          0,
          done_before,
          true};
  draw(false);
  return [this](uint64_t done, uint64_t total) {
    bar_.done = done;
    bar_.total = total;
    if (seconds_since(bar_.drawn) > 0.1) draw(false);
  };
}

// Verb, text, bar, share, and rate where there is room; the text gives way first.
std::string Terminal::fill(const std::string& verb, size_t columns, double elapsed) const {
  const double share =
      std::min(1.0, static_cast<double>(bar_.done) / static_cast<double>(bar_.total));
  std::string rate;
  if (elapsed > 0.3 && bar_.done > bar_.before) {
    const double speed = static_cast<double>(bar_.done - bar_.before) / elapsed;
    const auto left = static_cast<double>(bar_.total - std::min(bar_.done, bar_.total));
    rate = fmt::format("  {}/s  {} left", amount(static_cast<uint64_t>(speed), bar_.unit),
                       format_duration(left / speed));
  }
  constexpr size_t kSmallest = 6, kFrame = 8;  // bar; its edges, blanks and "100%"
  const size_t fixed = display_width(verb) + 1 + kFrame;
  if (columns < fixed + kSmallest + display_width(rate) + 8) rate.clear();
  const size_t room = columns - std::min(columns, fixed + kSmallest + display_width(rate));
  const std::string text = fit(bar_.text, room);
  const size_t rest = room - std::min(room, display_width(text));
  const int width = static_cast<int>(std::min<size_t>(24, kSmallest + rest));
  return fmt::format("{} {} ▕{}▏ {:3.0f}%{}", bold(verb), text, draw_blocks(share, width),
                     share * 100, rate);
}

void Terminal::draw(bool final) {
  if (options_.quiet || (!final && !terminal_)) return;
  bar_.drawn = Clock::now();
  double elapsed = seconds_since(bar_.start);
  const std::string padded = fmt::format("{:>{}}", bar_.verb, kVerbWidth);
  const size_t columns = output_width(STDERR_FILENO) - 1;
  std::string line = fmt::format("{} {}", bold(padded), bar_.text);
  if (bar_.total > 0 && !final) line = fill(padded, columns, elapsed);
  if (final) {
    line += fmt::format("  {}", format_duration(elapsed));
    say(fmt::format("{}{}\n", terminal_ ? "\r\x1b[K" : "", line));
  } else {
    // A line that wraps could not be drawn over.
    say(fmt::format("\r\x1b[K{}", fit(line, columns)));
  }
}

void Terminal::finish_bar(std::string_view summary) {
  if (!bar_.active) return;
  if (!summary.empty()) bar_.text = summary;
  draw(true);
  bar_.active = false;
}

void Terminal::result(std::string_view text) {
  const std::string line = std::string(text) + "\n";
  result_shown_ = true;
  errno = 0;
  const bool written =
      std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
  if (written) return;
  if (errno == EPIPE) throw PipeClosed();
  throw Error(
      ErrorCode::kIo, std::string("cannot write the result: ") + std::strerror(errno),
      errno == ENOSPC ? "the disk is full: free some space and run the same command again" : "");
}

std::string format_bytes(uint64_t bytes) {
  static const char* const kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  double v = static_cast<double>(bytes);
  size_t unit = 0;
  while (v >= 999.95 && unit < 4) {
    v /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", v, kUnits[unit]);
}

std::string format_count(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string format_duration(double seconds) {
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  auto s = static_cast<uint64_t>(seconds + 0.5);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s % 3600 / 60);
}

}  // namespace ffe::cli
