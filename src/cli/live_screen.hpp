// A few lines of a terminal that are drawn over again and again.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace ffe::cli {

class LiveScreen {
 public:
  explicit LiveScreen(const Terminal& terminal) : terminal_(terminal) {}
  ~LiveScreen() { end(); }
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  // Lines longer than the terminal is wide are cut, and those beyond its height left out: what
  // scrolls away could not be drawn over.
  void show(const std::vector<std::string>& lines);
  // What was shown last stays; the next show() begins below it.
  void end() { shown_ = 0; }

 private:
  const Terminal& terminal_;
  size_t shown_ = 0;  // lines on the screen now
};

}  // namespace ffe::cli
