// Memory for secrets: locked where the system allows it, wiped on destruction, never copied
// silently.
#pragma once

#include "base/bytes.hpp"

namespace ffe {

// Overwrites memory in a way that the compiler may not remove.
void wipe(void* data, size_t size);

// True if the two have equal length and content; takes time that depends on the length only.
bool equal_constant_time(ByteView a, ByteView b);

// Move-only bytes in their own mlock-ed pages. mlock failures are tolerated: a contributor's
// machine may not allow it, and the enclave service keeps its whole memory out of swap.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size);
  explicit SecretBytes(ByteView source);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes();

  SecretBytes clone() const { return SecretBytes(view()); }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteView view() const { return {data_, size_}; }
  std::span<uint8_t> span() { return {data_, size_}; }

 private:
  void release();

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;
};

// Disables core dumps and ptrace of this process (best effort off Linux TDs; throws Error{kIo} if
// the kernel refuses). Called first thing by the enclave service and by commands that hold keys.
void harden_process();

// Locks the memory of this process, now and later, where swap is on. False if the kernel refuses,
// so that the system may write memory to its disk.
bool keep_out_of_swap();

}  // namespace ffe
