// Where the tests of this room find their data.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/json.hpp"
#include "lm/weights.hpp"

namespace ffe::lm::testing {

namespace fs = std::filesystem;

// tests/vectors/<room> and $FFE_VECTORS (by default ../shared/vectors); only those that exist.
inline std::vector<fs::path> vector_roots(std::string_view own) {
  const char* set = std::getenv("FFE_VECTORS");
  std::vector<fs::path> roots = {fs::path(FFE_SOURCE_DIR) / "tests" / "vectors" / own};
  roots.push_back(set != nullptr ? fs::path(set)
                                 : fs::path(FFE_SOURCE_DIR) / ".." / "shared" / "vectors");
  std::erase_if(roots, [](const fs::path& p) { return !fs::exists(p); });
  return roots;
}

// Folders with config.json and expected.json: the small models.
inline std::vector<fs::path> model_cases() {
  std::vector<fs::path> out;
  for (const fs::path& root : vector_roots("lm")) {
    for (const fs::path& folder : {root, root / "lm"}) {
      if (!fs::is_directory(folder)) continue;
      for (const auto& entry : fs::directory_iterator(folder)) {
        if (fs::exists(entry.path() / "config.json") &&
            fs::exists(entry.path() / "expected.json")) {
          out.push_back(entry.path());
        }
      }
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

inline Json load_json(const fs::path& path) {
  return parse_json(read_text_file(path), path.filename().string());
}

// The message of the Error that `call` throws, "" if it throws none.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

}  // namespace ffe::lm::testing

#define FFE_SKIP_WITHOUT_VECTORS(list, what)                                                     \
  if ((list).empty()) {                                                                          \
    GTEST_SKIP() << "NO VECTORS: " << (what) << "; set FFE_VECTORS to the folder that has them"; \
  }

#define FFE_SKIP_WITHOUT_MODEL(path)                                                     \
  if ((path).empty()) {                                                                  \
    GTEST_SKIP() << "NO BASE MODEL: set FFE_MODEL to SmolLM2-135M-Instruct's Q4_1 GGUF"; \
  }
