// What the gate found, in words: the finding, its number, the threshold.
#pragma once

#include <string>

#include "session/reports.hpp"

namespace ffe::gate {

std::string evidence_text(const session::GateFinding& finding, const session::GatePolicy& policy,
                          session::Uint128 threshold);
std::string backdoor_text(const session::GateFinding& finding);
std::string few_rows_text(const session::GateFinding& finding, const session::GatePolicy& policy);
std::string no_gain_text(const session::GateFinding& finding);

std::string irrelevant_pool_text(const session::PoolFitness& fitness,
                                 const session::GatePolicy& policy);
std::string useless_pool_text(const session::PoolFitness& fitness,
                              const session::GatePolicy& policy);
std::string unlike_sample_text(const session::PoolFitness& fitness);

}  // namespace ffe::gate
