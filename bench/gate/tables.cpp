#include "tables.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/core.h>
#include <map>
#include <set>
#include <tuple>

#include "contributions.hpp"

namespace ffe::bench {
namespace {

using Values = std::vector<double>;

double quantile(Values v, double q) {
  std::sort(v.begin(), v.end());
  const double at = q * static_cast<double>(v.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, v.size() - 1);
  return v[low] + (at - static_cast<double>(low)) * (v[high] - v[low]);
}

double mean(const Values& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / static_cast<double>(v.size());
}

double sd(const Values& v) {
  const double m = mean(v);
  double sum = 0;
  for (const double x : v) sum += (x - m) * (x - m);
  return v.size() < 2 ? 0 : std::sqrt(sum / static_cast<double>(v.size() - 1));
}

// The 99.9th percentile by peaks over a threshold: the excesses over the 80th percentile are taken
// as exponential (Pickands–Balkema–de Haan with shape 0), which a bounded tail makes conservative.
double tail(const Values& v, double probability) {
  const double base = quantile(v, 0.8);
  Values excess;
  for (const double x : v) {
    if (x > base) excess.push_back(x - base);
  }
  if (excess.empty()) return base;
  const double share = static_cast<double>(excess.size()) / static_cast<double>(v.size());
  return base + mean(excess) * std::log(share / (1 - probability));
}

bool measured(const Result& r) {
  return r.opener == "honest" && r.outcome == "fit" && (r.harm_sd != 0 || r.lost_sd != 0);
}

std::string honest_table(const std::vector<Result>& results) {
  Values harm, lost;
  for (const Result& r : results) {
    if (!measured(r) || kind(r.kind).wish != Wish::kAccept) continue;
    harm.push_back(r.harm);
    lost.push_back(r.lost);
  }
  if (harm.empty()) return "No honest contributions yet.\n";
  std::string out = fmt::format(
      "| {} honest contributions | mean | sd | 5 % | median | 95 % | largest | 99.9 % (fitted) |\n"
      "|---|---|---|---|---|---|---|---|\n",
      harm.size());
  for (const auto& [name, v] :
       {std::pair{"mean z¹ (harm)", harm}, std::pair{"mean z² (lost relevance)", lost}}) {
    out += fmt::format(
        "| {} | {:+.3f} | {:.3f} | {:+.3f} | {:+.3f} | {:+.3f} | {:+.3f} | {:+.3f} "
        "|\n",
        name, mean(v), sd(v), quantile(v, 0.05), quantile(v, 0.5), quantile(v, 0.95),
        quantile(v, 1), tail(v, 0.999));
  }
  return out;
}

// `dropped`: the share of its rows dropped as far less likely than the pool's answers.
std::string goal(Wish wish, double accepted, double excluded, double rejected, double dropped) {
  const auto met = [](bool yes) { return yes ? std::string("met") : std::string("**missed**"); };
  switch (wish) {
    case Wish::kAccept:
      return "0 % rejected, at most 5 % excluded: " + met(rejected == 0 && excluded <= 0.05);
    case Wish::kReject:
      return "99 % rejected: " + met(rejected >= 0.99);
    case Wish::kExcludeOrReject:
      return "99 % kept out: " + met(accepted <= 0.01);
    case Wish::kMostlyKeptOut:
      return "95 % kept out: " + met(accepted <= 0.05);
    case Wish::kDropRows:
      return "95 % of the garbage rows dropped: " + met(dropped >= 0.95 / 2);
    case Wish::kNoSlash:
      return "never slashed: " + met(rejected == 0);
    case Wish::kAsMeasured:
      break;
  }
  return "as measured";
}

std::string kind_table(const std::vector<Result>& results) {
  std::string out =
      "| contribution | n | accepted | excluded | rejected | median z¹ | median z² | median ln E | "
      "rows kept | goal |\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Kind& k : kinds()) {
    Values harm, lost, evidence;
    std::map<std::string, double> verdicts;
    double n = 0, kept = 0, rows = 0, unlikely = 0;
    for (const Result& r : results) {
      if (r.kind != k.name || r.opener != "honest" || r.outcome != "fit") continue;
      ++n;
      ++verdicts[r.verdict];
      kept += static_cast<double>(r.kept);
      rows += static_cast<double>(r.rows);
      unlikely += static_cast<double>(r.unlikely);
      harm.push_back(r.harm);
      lost.push_back(r.lost);
      evidence.push_back(r.log_evidence);
    }
    if (n == 0) continue;
    out += fmt::format(
        "| {}: {} | {} | {:.0f} % | {:.0f} % | {:.0f} % | {:+.3f} | {:+.3f} | {:.1f} "
        "| {:.0f} % | {} |\n",
        k.name, k.about, n, 100 * verdicts["accept"] / n, 100 * verdicts["exclude"] / n,
        100 * verdicts["reject"] / n, quantile(harm, 0.5), quantile(lost, 0.5),
        quantile(evidence, 0.5), 100 * kept / rows,
        goal(k.wish, verdicts["accept"] / n, verdicts["exclude"] / n, verdicts["reject"] / n,
             unlikely / rows));
  }
  return out;
}

std::string opener_table(const std::vector<Result>& results) {
  std::map<std::string, std::map<uint64_t, const Result*>> sessions;
  std::map<std::string, size_t> slashed, excluded;
  for (const Result& r : results) {
    if (r.opener == "honest") continue;
    sessions[r.opener][r.session] = &r;
    slashed[r.opener] += r.outcome == "fit" && r.verdict == "reject";
    excluded[r.opener] += r.outcome == "fit" && r.verdict == "exclude";
  }
  if (sessions.empty()) return {};
  std::string out =
      "| opener whose pool has wrong answers | sessions | aborted | honest excluded | honest "
      "slashed |\n|---|---|---|---|---|\n";
  for (const auto& [opener, list] : sessions) {
    const auto aborted = std::ranges::count_if(
        list, [](const auto& entry) { return entry.second->outcome != "fit"; });
    out += fmt::format("| {} | {} | {} | {} | {} |\n", opener, list.size(), aborted,
                       excluded[opener], slashed[opener]);
  }
  return out;
}

}  // namespace

std::string tables(std::vector<Result> results, const Rules& rules) {
  // What "copies" copies may have been measured by itself too: the same rows, the same values.
  std::set<std::tuple<uint64_t, std::string, std::string>> seen;
  std::erase_if(results,
                [&](const Result& r) { return !seen.emplace(r.session, r.kind, r.opener).second; });
  for (Result& r : results) r = judged(std::move(r), rules);
  return honest_table(results) + "\n" + kind_table(results) + "\n" + opener_table(results);
}

}  // namespace ffe::bench
