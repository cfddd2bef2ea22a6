// The whole gate on the real model, contribution by contribution.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "lm/numeric.hpp"

namespace ffe::bench {

struct RealOptions {
  std::filesystem::path model;
  std::filesystem::path results;   // read first: what is there is not run again
  std::vector<std::string> kinds;  // empty: all, and the dishonest openers
  uint64_t first_session = 1;
  uint64_t sessions = 8;
  unsigned statistic = 2;
  uint16_t eval_pairs = 96;
  size_t group = 4;    // contributions of one gate run: they share its base passes
  double minutes = 0;  // no new run begins after so many; 0: no limit
  size_t most = 8;     // contributions whose cost is measured
  lm::NumericPath numeric = lm::NumericPath::kF32;
  int threads = 0;
};

// Appends one result per contribution as its run ends; progress goes to stderr.
void run_real(const RealOptions& options);

// Seconds of processor time of the gate with 1, 2, 4 … honest contributions (8 at most), shared and
// one after the other, over one epoch of the joint training on the same rows. Markdown.
std::string measure_cost(const RealOptions& options);

}  // namespace ffe::bench
