#include "client/html.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fmt/format.h>
#include <numeric>

namespace ffe::client::html {
namespace {

constexpr double kWidth = 640;

std::string svg(double height, const std::string& label) {
  return fmt::format("<svg viewBox=\"0 0 {} {:.0f}\" role=img aria-label=\"{}\">", kWidth, height,
                     escape(label));
}

std::string text(double x, double y, const char* anchor, const std::string& words) {
  return fmt::format("<text x={:.1f} y={:.1f} text-anchor={}>{}</text>", x, y, anchor,
                     escape(words));
}

std::string line(const char* style, double x1, double x2, double y1, double y2) {
  return fmt::format("<line class={} x1={:.1f} x2={:.1f} y1={:.1f} y2={:.1f} />", style, x1, x2, y1,
                     y2);
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string row(const std::string& name, const std::string& value) {
  return "<tr><th>" + name + "</th><td>" + value + "</td></tr>";
}

std::string code(std::string_view value) {
  return "<code>" + escape(value) + "</code>";
}

std::string in_words(size_t n) {
  static constexpr const char* kWords[] = {"None", "One",   "Two",   "Three", "Four", "Five",
                                           "Six",  "Seven", "Eight", "Nine",  "Ten"};
  return n < std::size(kWords) ? kWords[n] : std::to_string(n);
}

double log10_of(const std::string& decimal) {
  if (decimal.empty() || decimal == "0") return 0;
  const double head = std::atof(decimal.substr(0, 15).c_str());
  return std::log10(head) +
         static_cast<double>(decimal.size() - std::min<size_t>(15, decimal.size()));
}

std::string log_bars(const std::vector<Bar>& bars, const std::vector<Limit>& limits,
                     const std::string& label) {
  constexpr double kLeft = 2, kRow = 48, kWords = 26;  // a name above each bar
  double top = 1;
  for (const Limit& l : limits) top = std::max(top, l.value + 1);
  for (const Bar& b : bars) top = std::max(top, b.value + 0.5);
  const double scale = (kWidth - kLeft - 20) / top;
  const double bottom = kRow * static_cast<double>(bars.size()) + 12;
  std::string out = svg(bottom + kWords * static_cast<double>(limits.size()) + 4, label);
  double words = bottom + 18;
  std::string texts;  // above all lines
  for (const Limit& l : limits) {
    const double x = kLeft + l.value * scale;
    const bool right = x > kWidth / 2;
    out += line("limit", x, x, 4, words + 2);
    texts += text(right ? x - 8 : x + 8, words, right ? "end" : "start", l.text);
    words += kWords;
  }
  out += texts;
  double y = 8;
  for (const Bar& b : bars) {
    out += text(kLeft, y + 16, "start", b.name) +
           fmt::format("<rect class=\"{}\" x={} y={:.1f} width={:.1f} height=18 rx=3 />", b.style,
                       kLeft, y + 23, std::max(2.0, b.value * scale));
    y += kRow;
  }
  return out + "</svg>";
}

std::string dots(const std::vector<int64_t>& values, int64_t tolerance, const std::string& style,
                 const std::string& label) {
  constexpr double kLow = -0.5, kHigh = 1.0, kHeight = 84, kBase = 58, kDot = 3.2;
  auto at = [&](double nats) {
    return 8 + (kWidth - 16) * (std::clamp(nats, kLow, kHigh) - kLow) / (kHigh - kLow);
  };
  std::string out = svg(kHeight, label);
  for (double tick : {-0.5, 0.0, 0.5, 1.0}) {
    out += line("grid", at(tick), at(tick), 6, kBase + 3) +
           text(at(tick), kHeight - 8,
                tick < -0.4  ? "start"
                : tick > 0.9 ? "end"
                             : "middle",
                tick == 0 ? "0" : fmt::format("{:+.1f}", tick));
  }
  // Dots that would lie on each other are piled up.
  std::vector<int> piles(static_cast<size_t>(kWidth / (2 * kDot)) + 1);
  for (int64_t micro : values) {
    const double x = at(static_cast<double>(micro) / 1e6);
    int& pile = piles[static_cast<size_t>(x / (2 * kDot))];
    const double y = std::max(8.0, kBase - kDot - 2 * kDot * pile++);
    out += fmt::format("<circle class=\"{}\" cx={:.1f} cy={:.1f} r={} />", style, x, y, kDot);
  }
  out += line("limit", at(static_cast<double>(tolerance) / 1e6),
              at(static_cast<double>(tolerance) / 1e6), 2, kBase + 3);
  if (!values.empty()) {
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 1e6 /
                        static_cast<double>(values.size());
    out += line("mean", at(mean), at(mean), 2, kBase + 8);
  }
  return out + "</svg>";
}

std::string curve(const std::vector<double>& values, const std::string& label) {
  if (values.size() < 2) return "";
  constexpr double kHeight = 220, kLeft = 62, kBottom = 30;
  const double top = std::ceil(std::max(1e-9, *std::ranges::max_element(values)) * 2) / 2;
  auto x_at = [&](size_t i) {
    return kLeft +
           static_cast<double>(i) * (kWidth - kLeft - 10) / static_cast<double>(values.size() - 1);
  };
  auto y_at = [&](double v) { return 8 + (kHeight - kBottom - 8) * (1 - v / top); };
  std::string out = svg(kHeight, label);
  for (int i = 0; i <= 4; ++i) {
    const double v = top * i / 4;
    out += line("grid", kLeft, kWidth - 10, y_at(v), y_at(v)) +
           text(kLeft - 6, y_at(v) + 4, "end", fmt::format("{:.2g}", v));
  }
  out += "<polyline class=curve points=\"";
  for (size_t i = 0; i < values.size(); ++i)
    out += fmt::format("{:.1f},{:.1f} ", x_at(i), y_at(values[i]));
  return out + "\" />" + text(kLeft, kHeight - 8, "start", "first step") +
         text(kWidth - 10, kHeight - 8, "end", fmt::format("step {}", values.size())) + "</svg>";
}

}  // namespace ffe::client::html
