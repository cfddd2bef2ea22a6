// Preloaded into a process: kills it at its n-th call that reaches outside (disk or network), n
// from FFE_KILL_AT (0: never), calls counted in the file FFE_KILL_COUNT, which outlives the
// process. Even numbers die before the call, odd ones after it.
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

std::atomic<uint64_t>* counter() {
  static auto* const shared = [] {
    const char* path = std::getenv("FFE_KILL_COUNT");
    int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(uint64_t)) != 0) _exit(126);
    void* at = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? nullptr : static_cast<std::atomic<uint64_t>*>(at);
  }();
  return shared;
}

uint64_t kill_at() {
  static const uint64_t at = [] {
    const char* text = std::getenv("FFE_KILL_AT");
    return text == nullptr ? 0 : std::strtoull(text, nullptr, 10);
  }();
  return at;
}

template <class Call>
auto counted(Call&& call) {
  const uint64_t n = ++*counter();
  if (n == kill_at() && n % 2 == 0) raise(SIGKILL);
  auto result = call();
  if (n == kill_at()) raise(SIGKILL);
  return result;
}

template <class F>
F next(F, const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int fsync(int fd) {
  static const auto real = next(&fsync, "fsync");
  return counted([&] { return real(fd); });
}
int fdatasync(int fd) {
  static const auto real = next(&fdatasync, "fdatasync");
  return counted([&] { return real(fd); });
}
ssize_t pwrite64(int fd, const void* bytes, size_t n, off64_t at) {
  static const auto real = next(&pwrite64, "pwrite64");
  return counted([&] { return real(fd, bytes, n, at); });
}
ssize_t send(int fd, const void* bytes, size_t n, int flags) {
  static const auto real = next(&send, "send");
  return counted([&] { return real(fd, bytes, n, flags); });
}
}
