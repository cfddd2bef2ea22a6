// A contribution on its way to a verdict: what can be said before any training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gate/duplicates.hpp"
#include "gate/gate.hpp"
#include "gate/pool.hpp"
#include "gate/screen.hpp"

namespace ffe::gate {

struct Intake {
  const Contribution* contribution = nullptr;
  session::GateFinding finding;
  bool decided = false;  // the finding is final

  std::vector<Fingerprint> prints;  // one per row
  std::vector<size_t> order;        // distinct, usable rows as the seed draws them
  std::vector<size_t> candidates;   // of these, what the text screens leave; at most max_rows

  void decide(session::Reason reason, std::string text);
  RowRefs gate_rows(size_t limit) const;  // S_i: the first of `order`
  RowRefs candidate_rows() const;
};

// Delivery, schema, distinct rows, their order.
Intake take_in(const Contribution& contribution, const GateInputs& inputs, Learner& learner);

// Excludes whoever copies more than a tenth of the pool; drops what the others copy from it.
// Returns how many pool rows went.
size_t decontaminate(Pool& pool, std::vector<Intake>& intakes);

// The text screens; sets `candidates`, the counts, and the backdoor suspicion (not yet a verdict).
void screen(Intake& intake, const PoolHabits& habits, uint32_t max_rows);
bool backdoor_suspected(const Intake& intake);

}  // namespace ffe::gate
