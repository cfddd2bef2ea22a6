// Files: bounded reads, atomic writes, temporary folders, child-relative paths.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe {

// Reads a whole regular file. Throws Error{kIo} that names the file; kBadInput above `max_bytes`.
Bytes read_file(const std::filesystem::path& path, size_t max_bytes = size_t{4} << 30);
std::string read_text_file(const std::filesystem::path& path, size_t max_bytes = size_t{256} << 20);

// Writes beside the target, syncs and renames: readers see the old file or the new one, whole.
// `mode` is set before any content is written. Throws Error{kIo} ("disk full" by name).
void write_file_atomic(const std::filesystem::path& path, ByteView content, unsigned mode = 0644);

// A folder of mode 0700 below the system's temporary folder, removed on destruction.
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "ffe");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// XDG base directories of this user, with "ffe" appended: config, data and cache.
std::filesystem::path config_dir();
std::filesystem::path data_dir();
std::filesystem::path cache_dir();

}  // namespace ffe
