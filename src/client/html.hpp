// Pieces of HTML and SVG that the report pages share. Text from outside is escaped here, once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ffe::client::html {

std::string escape(std::string_view text);
// A row of a table whose cells are HTML already.
std::string row(const std::string& name, const std::string& value);
// A hash or address, whole for machines and copying, in a font of equal widths.
std::string code(std::string_view value);
// "Three", for the beginning of a sentence; digits above ten.
std::string in_words(size_t n);

// log10 of a decimal integer of any size; 0 for 0.
double log10_of(const std::string& decimal);

struct Bar {
  std::string name;   // left of the bar
  std::string style;  // class: accept, exclude, reject
  double value = 0;   // log10
};
struct Limit {
  double value = 0;
  std::string text;
};
// Bars on a logarithmic axis, with lines that mean something.
std::string log_bars(const std::vector<Bar>& bars, const std::vector<Limit>& limits,
                     const std::string& label);

// Values in nats as dots along an axis from -0.5 to 1, a line at the tolerance and one at the mean.
// `values`: micro-nats, ascending.
std::string dots(const std::vector<int64_t>& values, int64_t tolerance, const std::string& style,
                 const std::string& label);

// Values in nats against their number; empty for fewer than two.
std::string curve(const std::vector<double>& values, const std::string& label);

}  // namespace ffe::client::html
