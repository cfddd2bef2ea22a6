// How long work reports: called often, must be cheap, may throw Error{kInterrupted} to stop the
// work.
#pragma once

#include <cstdint>
#include <functional>

namespace ffe {

// `done` of `total` units (bytes, rows, steps); total 0 = not known yet.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

inline void report(const Progress& progress, uint64_t done, uint64_t total) {
  if (progress) progress(done, total);
}

}  // namespace ffe
