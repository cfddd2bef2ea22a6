// What the commands print: prose, progress and errors on stderr; the result alone on stdout.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/progress.hpp"

namespace ffe::cli {

struct OutputOptions {
  bool json = false;   // the result as one JSON document
  bool quiet = false;  // no prose; never hides the result
};

// The reader of stdout went away, as `| head` does: nobody is left to tell.
struct PipeClosed {};

class Terminal {
 public:
  explicit Terminal(OutputOptions options);

  bool json() const { return options_.json; }
  bool colour() const { return colour_; }
  bool live() const { return terminal_ && !options_.quiet; }  // whether lines can be redrawn

  // As it is to stderr, in ASCII where the terminal's locale knows nothing else.
  void say(std::string_view text) const;
  // A finished step: the verb right-aligned in a column of its own, then details.
  void step(std::string_view verb, std::string_view text);
  void note(std::string_view text);
  void warn(std::string_view text);
  void hint(std::string_view text);
  // `error: …` and, if there is one, `hint: …`; with --json an {"error":{…}} document on stdout,
  // unless the result was printed: stdout never holds two.
  void error(const Error& error);

  // A bar that redraws itself on a terminal within 100 ms and ends as a step line; elsewhere only
  // the final line is written. `unit` is "B" for bytes or a word such as "rows". Work that resumes
  // says how much was `done_before`: it counts in the share, not in the rate.
  Progress bar(std::string verb, std::string text, std::string unit, uint64_t done_before = 0);
  // Another text beside the bar, from its next drawing on.
  void bar_text(std::string text) { bar_.text = std::move(text); }
  void finish_bar(std::string_view summary = {});

  // The result, and a line feed. Throws Error{kIo} if it cannot be written, else PipeClosed.
  void result(std::string_view text);

 private:
  struct Bar {
    std::string verb, text, unit;
    std::chrono::steady_clock::time_point start, drawn;
    uint64_t done = 0, total = 0, before = 0;
    bool active = false;
  };

  void draw(bool final);
  std::string fill(const std::string& verb, size_t columns, double elapsed) const;
  void clear_bar();  // before a line of prose; the bar's next drawing brings it back
  std::string bold(std::string_view text) const;

  OutputOptions options_;
  bool terminal_;
  bool ascii_;  // a terminal whose locale knows no UTF-8
  bool colour_ = false;
  bool result_shown_ = false;
  Bar bar_;
};

// "4.1 MB", "1,204", "2h13m", "6.4s".
std::string format_bytes(uint64_t bytes);
std::string format_count(uint64_t n);
std::string format_duration(double seconds);

}  // namespace ffe::cli
