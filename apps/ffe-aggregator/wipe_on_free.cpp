// What this process frees is overwritten: rows pass through strings, vectors and JSON, and a copy
// of theirs must not outlive the session.
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <string.h>

namespace {

void wipe_and_free(void* memory) noexcept {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

void operator delete(void* memory) noexcept {
  wipe_and_free(memory);
}
void operator delete[](void* memory) noexcept {
  wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  wipe_and_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  wipe_and_free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  wipe_and_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  wipe_and_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  wipe_and_free(memory);
}
