// Losses for people.
#pragma once

#include <span>
#include <string>

namespace ffe::cli {

// One line of at most `width` block characters, the highest value the tallest; a column is the mean
// of the values that share it. Empty for no values.
std::string sparkline(std::span<const double> values, size_t width = 60);

}  // namespace ffe::cli
