#include "storage/sink.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.hpp"

namespace ffe::storage {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kMagic = 0x464645'53544f31;  // "FFE" "STO1"
constexpr uint64_t kHeaderBytes = 16;

[[noreturn]] void fail(const std::string& doing, const fs::path& path) {
  const int why = errno;
  throw Error(
      ErrorCode::kIo, "cannot " + doing + " " + path.string() + ": " + std::strerror(why),
      why == ENOSPC ? "the disk is full: free some space and run the same command again" : "");
}

void write_at(int fd, uint64_t offset, ByteView data, const fs::path& path) {
  for (size_t done = 0; done < data.size();) {
    const ssize_t n =
        ::pwrite(fd, data.data() + done, data.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write", path);
    done += static_cast<size_t>(n);
  }
}

// How much is there, at most out.size().
size_t read_at(int fd, uint64_t offset, std::span<uint8_t> out, const fs::path& path) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read", path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

int open_file(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) fail("write", path);
  return fd;
}

}  // namespace

std::vector<H256> MemorySink::kept(const FileShape& shape, const H256&) {
  bytes_.resize(shape.size);
  return std::vector<H256>(shape.segments);
}

void MemorySink::write(uint64_t segment, ByteView data, const H256&) {
  std::copy(data.begin(), data.end(),
            bytes_.begin() + static_cast<ptrdiff_t>(segment * kSegmentBytes));
}

PartFile::PartFile(fs::path out) : out_(std::move(out)), part_(out_.string() + ".part") {
  std::error_code ec;
  if (fs::is_directory(out_, ec)) {
    throw Error(ErrorCode::kIo, out_.string() + " is a folder", "name a file");
  }
  fd_ = open_file(part_);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw Error(ErrorCode::kIo, "another download writes to " + part_.string());
  }
}

PartFile::~PartFile() {
  if (notes_fd_ >= 0) ::close(notes_fd_);
  if (fd_ >= 0) ::close(fd_);
}

void PartFile::open_notes(const FileShape& shape, const H256& root) {
  if (notes_fd_ >= 0) ::close(notes_fd_);
  notes_.push_back(part_.string() + "." + to_hex(root.bytes).substr(0, 16) + "." +
                   std::to_string(base_));
  notes_fd_ = open_file(notes_.back());
  uint8_t expected[kHeaderBytes], found[kHeaderBytes];
  put_be64(expected, kMagic);
  put_be64(expected + 8, shape.size);
  if (read_at(notes_fd_, 0, found, notes_.back()) != kHeaderBytes ||
      std::memcmp(expected, found, kHeaderBytes) != 0) {
    if (::ftruncate(notes_fd_, 0) != 0) fail("write", notes_.back());
    write_at(notes_fd_, 0, {expected, kHeaderBytes}, notes_.back());
  }
}

std::vector<H256> PartFile::kept(const FileShape& shape, const H256& root) {
  open_notes(shape, root);
  std::vector<H256> roots(shape.segments);
  Bytes buffer;
  for (uint64_t i = 0; i < shape.segments; ++i) {
    H256 noted;
    const uint64_t at = kHeaderBytes + i * H256::kSize;
    if (read_at(notes_fd_, at, noted.bytes, notes_.back()) != H256::kSize) break;
    if (noted.is_zero()) continue;
    const uint64_t begin = i * kSegmentBytes;
    const uint64_t have = std::min(kSegmentBytes, shape.size - begin);
    buffer.assign(shape.segment_bytes(i), 0);
    if (read_at(fd_, base_ + begin, {buffer.data(), static_cast<size_t>(have)}, part_) == have &&
        storage::segment_root(shape, i, buffer) == noted) {
      roots[i] = noted;
    }
  }
  return roots;
}

void PartFile::write(uint64_t segment, ByteView data, const H256& segment_root) {
  write_at(fd_, base_ + segment * kSegmentBytes, data, part_);
  write_at(notes_fd_, kHeaderBytes + segment * H256::kSize, segment_root.bytes, notes_.back());
}

void PartFile::finish(uint64_t size) {
  if (::ftruncate(fd_, static_cast<off_t>(size)) != 0 || ::fsync(fd_) != 0) fail("write", part_);
  if (::rename(part_.c_str(), out_.c_str()) != 0) fail("write", out_);
  std::error_code ec;
  for (const fs::path& notes : notes_) fs::remove(notes, ec);
}

}  // namespace ffe::storage
