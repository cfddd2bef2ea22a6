// What a test may say about an Error: "<code>: <message>".
#pragma once

#include <gtest/gtest.h>
#include <string>

#include "base/error.hpp"

namespace ffe::test {

// Of the Error that `run` throws; a failure of the test if it throws none.
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

// Its hint.
template <class F>
std::string hint_of(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return e.hint();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

}  // namespace ffe::test
