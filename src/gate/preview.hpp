// The gate's measurement of one contribution on a public sample, before anything is staked. It is
// no verdict: the session's pool has other rows and more pairs.
#pragma once

#include <vector>

#include "gate/evidence.hpp"
#include "gate/statistic.hpp"

namespace ffe::gate {

struct Preview {
  uint32_t calibration_rows = 0;
  uint32_t gate_rows = 0;
  session::GateRun run;  // as in gate.json, over the sample's pairs
  // What the session's number of pairs would give if they all looked like these.
  Harm projected;
  session::Uint128 threshold = 0;  // of a rejection
};

// Half of the sample's pairs calibrate, the others measure. `contributors`: how many may be sealed.
// Throws Error{kGate} if the sample has fewer than 16 usable rows.
Preview preview(const std::vector<lm::Row>& rows, const std::vector<lm::Row>& sample,
                const session::GatePolicy& policy, uint32_t contributors, ByteView seed,
                Learner& learner, const StageProgress& progress = {});

}  // namespace ffe::gate
