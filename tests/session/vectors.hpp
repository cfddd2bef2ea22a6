// The vector files of tests/vectors/session, and of $FFE_VECTORS/session where others add some.
#pragma once

#include <cstdlib>
#include <filesystem>
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
inline H256 h256_of(const Json& c, const char* key) {
  return fixed_of<32>(c, key);
}
inline Address address_of(const Json& c, const char* key) {
  return fixed_of<20>(c, key);
}

// The data of the vectors: byte i is (i * 7 + 3) mod 251.
inline Bytes pattern(size_t length) {
  Bytes out(length);
  for (size_t i = 0; i < length; ++i) out[i] = static_cast<uint8_t>((i * 7 + 3) % 251);
  return out;
}

// Runs `check` on every case of the project's file (which must be there and hold some) and of the
// independent set's file of the same name, if there is one.
inline void for_each_case(const std::string& file, const std::function<void(const Json&)>& check) {
  namespace fs = std::filesystem;
  const char* other = std::getenv("FFE_VECTORS");
  const fs::path root(FFE_SOURCE_DIR);
  const fs::path paths[] = {
      root / "tests/vectors/session" / file,
      (other != nullptr ? fs::path(other) : root / "../shared/vectors") / "session" / file};
  for (const fs::path& path : paths) {
    if (&path != &paths[0] && !fs::exists(path)) continue;
    const Json document = parse_json(read_text_file(path), file);
    const Json& cases = json_member(document, "cases", file);
    ASSERT_FALSE(cases.empty());
    for (size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(path.string() + " case " + std::to_string(i));
      check(cases[i]);
    }
  }
}

// The message of the Error that `run` throws, with its code's name in front.
template <class F>
std::string error_of(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return std::string(error_name(e.code())) + ": " + e.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

}  // namespace ffe::test
