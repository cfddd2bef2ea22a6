// Lines that a person types on a terminal: editing keys, history, Ctrl-C for "never mind".
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace ffe::cli {

class LineEditor {
 public:
  // The history is kept in `history_file` (mode 0600, the last 1000 lines), or only in memory if
  // that is empty. Prompts and echo go to stderr.
  explicit LineEditor(std::filesystem::path history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Nothing at the end (Ctrl-D on an empty line). Ctrl-C drops what was typed and gives "".
  std::optional<std::string> read(const std::string& prompt);
  void remember(const std::string& line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::cli
