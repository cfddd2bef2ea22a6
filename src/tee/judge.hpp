// The relying party's own rules, applied to a quote that is already known to be genuine.
#pragma once

#include "tee/checklist.hpp"
#include "tee/policy.hpp"
#include "tee/verify.hpp"

namespace ffe::tee {

// Fills in the checks td.* and policy.*; each on its own, so a user sees all that is wrong at once.
void judge(const Policy& policy, const Verification& found, Checklist& list);

}  // namespace ffe::tee
