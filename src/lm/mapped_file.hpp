// A regular file mapped read-only.
#pragma once

#include <filesystem>

#include "base/bytes.hpp"

namespace ffe::lm {

class MappedFile {
 public:
  MappedFile() = default;
  // Throws Error{kIo} naming the file; kBadInput if it is empty or not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  ByteView bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ffe::lm
