// What the gate would have said of recorded values under other tolerances.
#pragma once

#include "gate/evidence.hpp"
#include "results.hpp"
#include "session/terms.hpp"

namespace ffe::bench {

// The smallest evidence over the seeds; 1 without values.
gate::EValue smallest_evidence(const Result& result, const session::GatePolicy& policy);

// The same contribution under the tolerances of `policy`, which must not be below those of the run:
// there, only who was suspect was measured with three seeds. Unchanged without values, or where
// the verdict has another reason than evidence.
Result judged(Result result, const session::GatePolicy& policy);

}  // namespace ffe::bench
