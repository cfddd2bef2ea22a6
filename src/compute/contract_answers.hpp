// Reading 0G Compute's contracts: what is absent, and what cannot be.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/error.hpp"
#include "evm/contract.hpp"

namespace ffe::compute {

// The result, or nothing if the contract says with one of these errors that there is none.
template <class F>
auto unless(std::initializer_list<std::string_view> absent, F read)
    -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const evm::RevertError& e) {
    for (std::string_view name : absent) {
      if (e.name() == name) return std::nullopt;
    }
    throw;
  }
}

// Throws Error{kCorrupt} for a sub-account that asks back more than it has.
inline void check_refund(const evm::U256& pending, const evm::U256& balance) {
  if (pending > balance) {
    throw Error(ErrorCode::kCorrupt, "a sub-account asks back more than it has",
                "the chain's endpoint gives contradictory answers: use another one");
  }
}

}  // namespace ffe::compute
