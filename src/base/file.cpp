#include "base/file.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ffe {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void io_error(std::string_view doing, const fs::path& path, int err) {
  std::string hint = err == ENOSPC
                         ? "the disk is full: free some space and run the same command again"
                     : err == EROFS  ? "it can be read but not written: name another place"
                     : err == EACCES ? "check the permissions of the file and its folder"
                     : err == ENOENT ? "check the path"
                                     : "";
  throw Error(ErrorCode::kIo, std::string(doing) + " " + path.string() + ": " + std::strerror(err),
              hint);
}

struct Fd {
  int fd = -1;
  ~Fd() {
    if (fd >= 0) close(fd);
  }
};

fs::path xdg(const char* variable, const char* fallback) {
  if (const char* dir = std::getenv(variable); dir != nullptr && dir[0] == '/') {
    return fs::path(dir) / "ffe";
  }
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr && home[0] == '/' ? home : "/tmp") / fallback / "ffe";
}

}  // namespace

Bytes read_file(const fs::path& path, size_t max_bytes) {
  Fd f{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (f.fd < 0) io_error("cannot open", path, errno);
  struct stat st {};
  if (fstat(f.fd, &st) != 0) io_error("cannot read", path, errno);
  if (S_ISDIR(st.st_mode)) io_error("cannot read", path, EISDIR);
  if (static_cast<uint64_t>(st.st_size) > max_bytes) {
    throw Error(ErrorCode::kBadInput, path.string() + ": larger than the limit of " +
                                          std::to_string(max_bytes) + " bytes");
  }
  Bytes out(static_cast<size_t>(st.st_size));
  size_t done = 0;
  while (true) {
    // One byte beyond the stated size tells growth and pipes from plain files.
    if (done == out.size()) out.resize(out.size() + (st.st_size == 0 ? 65536 : 1));
    ssize_t n = read(f.fd, out.data() + done, out.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) io_error("cannot read", path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
    if (done > max_bytes) {
      throw Error(ErrorCode::kBadInput, path.string() + ": larger than the limit of " +
                                            std::to_string(max_bytes) + " bytes");
    }
  }
  out.resize(done);
  return out;
}

std::string read_text_file(const fs::path& path, size_t max_bytes) {
  Bytes bytes = read_file(path, max_bytes);
  return {bytes.begin(), bytes.end()};
}

void write_file_atomic(const fs::path& path, ByteView content, unsigned mode) {
  std::string temp = path.string() + ".XXXXXX";
  Fd f{mkostemp(temp.data(), O_CLOEXEC)};
  if (f.fd < 0) io_error("cannot write", path, errno);
  auto fail = [&](int err) {
    unlink(temp.c_str());
    io_error("cannot write", path, err);
  };
  if (fchmod(f.fd, mode) != 0) fail(errno);
  for (size_t done = 0; done < content.size();) {
    ssize_t n = write(f.fd, content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(errno);
    done += static_cast<size_t>(n);
  }
  if (fsync(f.fd) != 0) fail(errno);
  if (rename(temp.c_str(), path.c_str()) != 0) fail(errno);
  fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  Fd dir{open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.fd >= 0) fsync(dir.fd);  // makes the rename itself durable
}

TempDir::TempDir(std::string_view prefix) {
  std::error_code ec;
  fs::path base = fs::temp_directory_path(ec);
  std::string name = ((ec ? fs::path("/tmp") : base) / (std::string(prefix) + ".XXXXXX")).string();
  if (mkdtemp(name.data()) == nullptr) io_error("cannot create", name, errno);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ec;
  fs::remove_all(path_, ec);
}

fs::path config_dir() {
  return xdg("XDG_CONFIG_HOME", ".config");
}
fs::path data_dir() {
  return xdg("XDG_DATA_HOME", ".local/share");
}
fs::path cache_dir() {
  return xdg("XDG_CACHE_HOME", ".cache");
}

}  // namespace ffe
