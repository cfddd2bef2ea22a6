// What the gate would have said of recorded values under other tolerances.
#pragma once

#include "gate/evidence.hpp"
#include "results.hpp"
#include "session/terms.hpp"

namespace ffe::bench {

// The smallest evidence over the seeds; 1 without values.
gate::EValue smallest_evidence(const Result& result, const session::GatePolicy& policy);

// Other rules than the run's: the tolerances of `policy`, which must not be below those of the run
// (there, only who was suspect was measured with three seeds), and every pair counted `repeat`
// times, which is what so many times the pairs would show if they were like these.
struct Rules {
  session::GatePolicy policy;
  uint32_t repeat = 1;
};

// The same contribution under other rules. Unchanged without values, or where the verdict has
// another reason than evidence. Who becomes suspect only by `repeat` is taken as excluded.
Result judged(Result result, const Rules& rules);

}  // namespace ffe::bench
