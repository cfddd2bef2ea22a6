#include "base/secret.hpp"

#include <fstream>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace ffe {

void wipe(void* data, size_t size) {
  if (size != 0) explicit_bzero(data, size);
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  uint8_t diff = 0;
  for (size_t i = 0; i < a.size(); ++i) diff |= a[i] ^ b[i];
  return diff == 0;
}

SecretBytes::SecretBytes(size_t size) : size_(size) {
  if (size == 0) return;
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  mapped_ = (size + page - 1) / page * page;
  void* p = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw Error(ErrorCode::kIo, "out of memory for a secret");
  data_ = static_cast<uint8_t*>(p);
  mlock(p, mapped_);
  madvise(p, mapped_, MADV_DONTDUMP);
}

SecretBytes::SecretBytes(ByteView source) : SecretBytes(source.size()) {
  std::copy(source.begin(), source.end(), data_);
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

SecretBytes::~SecretBytes() {
  release();
}

void SecretBytes::release() {
  if (data_ == nullptr) return;
  wipe(data_, size_);
  munmap(data_, mapped_);
  data_ = nullptr;
}

void harden_process() {
  rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    throw Error(ErrorCode::kIo, "cannot disable core dumps and tracing of this process");
  }
}

bool keep_out_of_swap() {
  std::ifstream swaps("/proc/swaps");
  std::string heading, device;
  std::getline(swaps, heading);
  if (!std::getline(swaps, device)) return true;
  // With a limit on locked memory, later allocations would fail instead.
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) return false;
  return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

}  // namespace ffe
