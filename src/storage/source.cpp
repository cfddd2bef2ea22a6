#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/merkle.hpp"

namespace ffe::storage {
namespace {

class FileSource : public Source {
 public:
  FileSource(const std::filesystem::path& path, uint64_t offset, std::optional<uint64_t> length)
      : name_(path.string()), offset_(offset) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw Error(ErrorCode::kIo, "cannot read " + name_ + ": " + std::strerror(errno));
    struct stat st {};
    if (::fstat(fd_, &st) != 0 || !S_ISREG(st.st_mode)) {
      ::close(fd_);
      throw Error(ErrorCode::kIo, name_ + " is not a regular file");
    }
    const auto total = static_cast<uint64_t>(st.st_size);
    if (offset > total || (length && *length > total - offset)) {
      ::close(fd_);
      throw Error(ErrorCode::kIo, name_ + " is shorter than expected");
    }
    size_ = length ? *length : total - offset;
  }
  ~FileSource() override { ::close(fd_); }

  uint64_t size() const override { return size_; }

  void read(uint64_t offset, std::span<uint8_t> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_, out.data() + done, out.size() - done,
                                static_cast<off_t>(offset_ + offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        throw Error(ErrorCode::kIo, "cannot read " + name_ + ": " + std::strerror(errno));
      }
      if (n == 0) {
        throw Error(ErrorCode::kIo, name_ + " became shorter while it was read",
                    "leave the file unchanged until the upload is done");
      }
      done += static_cast<size_t>(n);
    }
  }

 private:
  std::string name_;
  uint64_t offset_;
  uint64_t size_ = 0;
  int fd_ = -1;
};

class MemorySource : public Source {
 public:
  explicit MemorySource(ByteView bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  void read(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      throw Error(ErrorCode::kInternal, "read beyond the end of the source");
    }
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

 private:
  ByteView bytes_;
};

}  // namespace

std::unique_ptr<Source> open_source(const std::filesystem::path& path) {
  return std::make_unique<FileSource>(path, 0, std::nullopt);
}

std::unique_ptr<Source> open_source(const std::filesystem::path& path, uint64_t offset,
                                    uint64_t length) {
  return std::make_unique<FileSource>(path, offset, length);
}

std::unique_ptr<Source> memory_source(ByteView bytes) {
  return std::make_unique<MemorySource>(bytes);
}

}  // namespace ffe::storage
