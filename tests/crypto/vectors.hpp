// The vector files of tests/vectors/crypto, case by case.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <string>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"

namespace ffe::test {

inline Bytes hex_of(const Json& c, const char* key) {
  return from_hex(c.at(key).get<std::string>());
}

template <size_t N>
FixedBytes<N> fixed_of(const Json& c, const char* key) {
  return FixedBytes<N>::from(hex_of(c, key));
}

// Runs `check` on every case and fails if the file holds none.
inline void for_each_case(const std::string& file, const std::function<void(const Json&)>& check) {
  std::string path = std::string(FFE_SOURCE_DIR) + "/tests/vectors/crypto/" + file;
  Json document = parse_json(read_text_file(path), file);
  const Json& cases = json_member(document, "cases", file);
  ASSERT_FALSE(cases.empty());
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(file + " case " + std::to_string(i));
    check(cases[i]);
  }
}

// The code of the Error that `run` throws.
template <class F>
ErrorCode error_of(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return e.code();
  }
  ADD_FAILURE() << "no Error was thrown";
  return ErrorCode::kFailed;
}

}  // namespace ffe::test
