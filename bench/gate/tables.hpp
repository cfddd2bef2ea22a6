// The results as tables for docs/benchmarks.md.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"
#include "session/terms.hpp"

namespace ffe::bench {

// Markdown: the distribution of z¹ and z² of honest contributions, verdicts by kind with the goal
// that they miss or meet, and the sessions of dishonest openers. Verdicts under the tolerances of
// `policy` (verdict.hpp).
std::string tables(std::vector<Result> results, const session::GatePolicy& policy);

}  // namespace ffe::bench
