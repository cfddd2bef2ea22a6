// Independent tasks on several threads.
#pragma once

#include <cstddef>
#include <type_traits>

namespace ffe::lm {

// Calls run(context, i) for every i < n on the calling thread and at most threads - 1 others. The
// caller never waits for a thread that has not begun: on a busy machine it does the work itself.
void run_tasks(int threads, size_t n, void (*run)(void* context, size_t i), void* context);

// Runs body(i) for i < n. Tasks must not depend on each other; which thread takes which is open, so
// results must not depend on it either. `body` must not throw. A call from within a task, or while
// another thread's tasks run, is done by the calling thread alone.
template <class Body>
void parallel_for(int threads, size_t n, Body&& body) {
  if (threads <= 1 || n <= 1) {
    for (size_t i = 0; i < n; ++i) body(i);
    return;
  }
  using Plain = std::remove_reference_t<Body>;
  run_tasks(
      threads, n, [](void* context, size_t i) { (*static_cast<Plain*>(context))(i); },
      const_cast<void*>(static_cast<const void*>(&body)));
}

// The same for rows that cost little each.
template <class Body>
void parallel_rows(int threads, size_t n, Body&& body) {
  constexpr size_t kRows = 16;
  parallel_for(threads, (n + kRows - 1) / kRows, [&](size_t block) {
    const size_t end = block * kRows + kRows < n ? block * kRows + kRows : n;
    for (size_t i = block * kRows; i < end; ++i) body(i);
  });
}

}  // namespace ffe::lm
