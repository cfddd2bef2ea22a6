// Shows the client's steps; a step that counts becomes a bar.
#pragma once

#include <string>

#include "cli/terminal.hpp"
#include "client/client.hpp"

namespace ffe::cli {

struct StepView {
  explicit StepView(Terminal& terminal) : terminal(terminal) {}

  client::Events events() {
    client::Events out;
    out.step = [this](std::string_view verb, std::string_view text) {
      if (verb == running) {
        terminal.finish_bar(text);
      } else {
        terminal.finish_bar();
        terminal.step(verb, text);
      }
      running.clear();
    };
    out.progress = [this](std::string_view verb, uint64_t done, uint64_t total) {
      if (verb != running) {
        terminal.finish_bar();
        running = verb;
        bar = terminal.bar(running, "", "B");
      }
      bar(done, total);
    };
    return out;
  }

  Terminal& terminal;
  std::string running;
  Progress bar;
};

}  // namespace ffe::cli
