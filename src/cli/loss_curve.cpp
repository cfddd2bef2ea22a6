#include "cli/loss_curve.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace ffe::cli {

std::string sparkline(std::span<const double> values, size_t width) {
  static const char* const kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t columns = std::min(width, values.size());
  std::vector<double> means;
  for (size_t c = 0; c < columns; ++c) {
    const size_t begin = c * values.size() / columns;
    const size_t end = (c + 1) * values.size() / columns;
    const double sum = std::accumulate(values.begin() + static_cast<ptrdiff_t>(begin),
                                       values.begin() + static_cast<ptrdiff_t>(end), 0.0);
    means.push_back(sum / static_cast<double>(end - begin));
  }
  if (means.empty()) return {};
  const auto [low, high] = std::minmax_element(means.begin(), means.end());
  const double range = *high - *low;
  std::string out;
  for (double m : means) {
    const double height = range > 0 ? (m - *low) / range : 0;
    out += kBlocks[static_cast<size_t>(std::lround(height * 7))];
  }
  return out;
}

}  // namespace ffe::cli
