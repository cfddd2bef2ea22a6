// The recorded quotes of other projects and of the early simulator (see the samples' README).
#pragma once

#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>

#include "base/file.hpp"
#include "tee/verify.hpp"

namespace ffe::tee {

inline std::filesystem::path samples_dir() {
  const char* set = std::getenv("FFE_SAMPLES");
  return std::filesystem::path(set != nullptr ? set : FFE_SOURCE_DIR "/../shared/samples") / "tee";
}

// For use at the start of a test that needs them.
#define FFE_NEED_SAMPLES()                                                                     \
  if (!std::filesystem::exists(samples_dir())) {                                               \
    GTEST_SKIP() << "recorded quotes are absent: set FFE_SAMPLES (looked in " << samples_dir() \
                 << ")";                                                                       \
  }                                                                                            \
  static_assert(true)

inline Bytes sample(const std::string& name) {
  return read_file(samples_dir() / name);
}
inline Collateral sample_collateral(const std::string& name) {
  return read_collateral(samples_dir() / name);
}
inline TrustAnchor sample_root() {
  return development_root(sample("simulated/root_ca.der"));
}

inline constexpr int64_t kIntelTime = 1751328000;      // the Intel collateral is valid
inline constexpr int64_t kSimulatedTime = 1767225600;  // the simulated collateral is valid

inline std::string shown(const Verification& v) {
  const Check* check = v.first_failed();
  return check == nullptr ? "accepted" : check->name + ": " + check->detail;
}

inline std::string failed_check(const Verification& v) {
  const Check* check = v.first_failed();
  return check == nullptr ? "" : check->name;
}

}  // namespace ffe::tee
