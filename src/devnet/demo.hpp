// The demonstration: four parties submit, one is slashed, three own one model.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace ffe::devnet {

struct DemoOptions {
  std::filesystem::path dir;  // the network's files, the rows and the results
  std::filesystem::path model;
  size_t rows_per_party = 96;
  uint64_t seed = 1;  // of the words drawn
  int threads = 0;
};

// Told the story as it happens.
struct DemoEvents {
  std::function<void(std::string_view title)> chapter;
  std::function<void(std::string_view verb, std::string_view text)> step;
  // Opens with done = 0 and a text, ends with done = total.
  std::function<void(std::string_view verb, uint64_t done, uint64_t total, std::string_view unit)>
      progress;
};

// Runs it all and returns what `ffe demo --json` prints (docs/spec/demo.md); also writes
// <dir>/report.json and <dir>/report.html. Throws Error naming the part that failed, also when an
// outcome is not the expected one (mallory accepted, adapters that differ, …).
Json run_demo(const DemoOptions& options, const DemoEvents& events);

}  // namespace ffe::devnet
