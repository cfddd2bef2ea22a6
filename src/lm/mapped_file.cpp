#include "lm/mapped_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ffe::lm {
namespace {

[[noreturn]] void io_error(const std::filesystem::path& path, int err) {
  throw Error(ErrorCode::kIo, "cannot read " + path.string() + ": " + std::strerror(err),
              err == ENOENT ? "check the path" : "check the permissions of the file");
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) io_error(path, errno);
  struct stat st {};
  if (fstat(fd, &st) != 0) {
    int err = errno;
    close(fd);
    io_error(path, err);
  }
  if (!S_ISREG(st.st_mode) || st.st_size == 0) {
    close(fd);
    throw Error(ErrorCode::kBadInput,
                path.string() + (S_ISREG(st.st_mode) ? ": is empty" : ": is not a regular file"));
  }
  void* mapped = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  int err = errno;
  close(fd);
  if (mapped == MAP_FAILED) io_error(path, err);
  data_ = static_cast<const uint8_t*>(mapped);
  size_ = static_cast<size_t>(st.st_size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace ffe::lm
