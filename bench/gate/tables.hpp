// The results as tables for docs/benchmarks.md.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"
#include "verdict.hpp"

namespace ffe::bench {

// Markdown: the distribution of z¹ and z² of honest contributions, verdicts by kind with the goal
// that they miss or meet, and the sessions of dishonest openers. Verdicts under `rules`.
std::string tables(std::vector<Result> results, const Rules& rules);

}  // namespace ffe::bench
