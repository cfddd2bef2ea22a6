// What a parser may do with any bytes: take them, or throw an Error.
#pragma once

#include "base/error.hpp"

namespace ffe {

template <class Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const Error&) {
  }
}

}  // namespace ffe
