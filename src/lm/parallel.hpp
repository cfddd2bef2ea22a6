// Independent tasks on several threads.
#pragma once

#include <cstddef>
#include <omp.h>

namespace ffe::lm {

// Runs body(i) for i < n. Tasks must not depend on each other; which thread takes which is open, so
// results must not depend on it either. `body` must not throw.
template <class Body>
void parallel_for(int threads, size_t n, Body body) {
  if (threads <= 1 || n <= 1) {
    for (size_t i = 0; i < n; ++i) body(i);
    return;
  }
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (size_t i = 0; i < n; ++i) body(i);
}

// The same for rows that cost little each.
template <class Body>
void parallel_rows(int threads, size_t n, Body body) {
  constexpr size_t kRows = 16;
  parallel_for(threads, (n + kRows - 1) / kRows, [&](size_t block) {
    const size_t end = block * kRows + kRows < n ? block * kRows + kRows : n;
    for (size_t i = block * kRows; i < end; ++i) body(i);
  });
}

}  // namespace ffe::lm
