// Settings files in TOML 1.0, read strictly: a key of the wrong type, out of range or unknown is an
// error that names file and key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace ffe {

// Keys are "table.key". Everything throws Error{kUsage} "<file>: <key> <why>".
class TomlReader {
 public:
  explicit TomlReader(const std::filesystem::path& file);
  ~TomlReader();
  TomlReader(const TomlReader&) = delete;
  TomlReader& operator=(const TomlReader&) = delete;

  bool has(std::string_view key) const;
  std::string text(std::string_view key);  // required, not empty
  std::string text_or(std::string_view key, std::string fallback);
  std::filesystem::path path(std::string_view key);     // relative to the file's folder
  std::filesystem::path path_or(std::string_view key);  // absent: empty
  Address address(std::string_view key);
  uint64_t number_or(std::string_view key, uint64_t fallback, uint64_t max);
  bool flag_or(std::string_view key, bool fallback);
  double real_or(std::string_view key, double fallback, double min, double max);
  // "90s", "30m", "24h", "14d", in seconds.
  uint64_t seconds_or(std::string_view key, uint64_t fallback, uint64_t max);
  std::vector<std::string> texts(std::string_view key);  // a list of strings; absent: empty

  [[noreturn]] void fail(std::string_view key, std::string_view why) const;
  // A key that nobody asked for is a typing mistake that would otherwise pass in silence.
  void refuse_unknown() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe
