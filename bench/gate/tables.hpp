// The results as tables for docs/benchmarks.md.
#pragma once

#include <string>
#include <vector>

#include "results.hpp"

namespace ffe::bench {

// Markdown: the distribution of z¹ and z² of honest contributions, verdicts by kind with the goal
// that they miss or meet, and the sessions of dishonest openers.
std::string tables(const std::vector<Result>& results);

}  // namespace ffe::bench
