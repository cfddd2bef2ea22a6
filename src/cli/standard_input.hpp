// Text from stdin where it is a pipe or a file.
#pragma once

#include <optional>
#include <string>

namespace ffe::cli {

// Everything up to the end; at most 16 MiB. Throws Error{kInterrupted} on Ctrl-C.
std::string read_all_stdin();

// Lines of stdin, one after another.
class StdinLines {
 public:
  // Without its line feed; nothing at the end. Throws Error{kInterrupted} on Ctrl-C.
  std::optional<std::string> next();

 private:
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace ffe::cli
