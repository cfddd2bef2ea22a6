#include "cli/ask.hpp"

#include <atomic>
#include <cstdio>
#include <unistd.h>

#include "cli/standard_input.hpp"

namespace ffe::cli {
namespace {

std::atomic<bool> g_forbidden{false};

}  // namespace

void forbid_questions() {
  g_forbidden = true;
}

bool may_ask() {
  return !g_forbidden && isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1;
}

bool ask_yes(const std::string& question) {
  std::fputs((question + " [y/N] ").c_str(), stderr);
  std::fflush(stderr);
  const std::string answer = StdinLines().next().value_or("");
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace ffe::cli
