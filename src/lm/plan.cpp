#include "lm/plan.hpp"

#include <algorithm>
#include <map>

namespace ffe::lm {
namespace {

struct Row {
  const Example* example;
  uint32_t item;
  size_t length;  // up to the last target, exclusive

  std::span<const int32_t> tokens() const { return {example->tokens.data(), length}; }
};

size_t used_length(const Example& example) {
  size_t n = example.tokens.size();
  while (n > 0 && !example.target[n - 1]) --n;
  return n > 0 ? n - 1 : 0;
}

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

// Lays sorted rows out as a prefix tree, one segment a node, in depth-first order.
class TreeBuilder {
 public:
  explicit TreeBuilder(Pack& pack) : pack_(pack) {}

  void add(std::span<const Row> rows, size_t offset, int32_t parent) {
    size_t end = offset;
    if (rows.size() == 1) {
      end = rows.front().length;
    } else {
      // Sorted: what the first and the last have in common, all have.
      end = common_prefix(rows.front().tokens(), rows.back().tokens());
    }
    int32_t here = parent;
    if (end > offset) here = add_segment(rows.front(), offset, end, parent);
    path_.resize(end);
    size_t i = 0;
    while (i < rows.size() && rows[i].length == end) finish(rows[i++]);
    while (i < rows.size()) {
      size_t j = i + 1;
      while (j < rows.size() && rows[j].tokens()[end] == rows[i].tokens()[end]) ++j;
      add(rows.subspan(i, j - i), end, here);
      path_.resize(end);
      i = j;
    }
  }

 private:
  int32_t add_segment(const Row& row, size_t begin, size_t end, int32_t parent) {
    Segment segment;
    segment.begin = static_cast<uint32_t>(pack_.tokens.size());
    segment.end = static_cast<uint32_t>(segment.begin + end - begin);
    segment.parent = parent;
    segment.context = static_cast<uint32_t>(begin);
    path_.resize(begin);
    for (size_t t = begin; t < end; ++t) {
      path_.push_back(static_cast<uint32_t>(pack_.tokens.size()));
      pack_.tokens.push_back(row.example->tokens[t]);
      pack_.positions.push_back(static_cast<uint32_t>(t));
    }
    pack_.segments.push_back(segment);
    return static_cast<int32_t>(pack_.segments.size() - 1);
  }

  void finish(const Row& row) {
    for (size_t t = 1; t <= row.length; ++t) {
      if (!row.example->target[t]) continue;
      pack_.targets.push_back({path_[t - 1], row.example->tokens[t], row.item});
    }
  }

  Pack& pack_;
  std::vector<uint32_t> path_;  // the rows of the pack that hold the current row's tokens
};

struct Unit {
  std::vector<Row> rows;
  size_t tokens = 0;
};

std::vector<Unit> make_units(std::vector<Row> rows, size_t budget, bool share) {
  if (share) {
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      return std::lexicographical_compare(a.tokens().begin(), a.tokens().end(), b.tokens().begin(),
                                          b.tokens().end());
    });
  }
  std::vector<Unit> units;
  for (const Row& row : rows) {
    if (!units.empty()) {
      Unit& unit = units.back();
      const size_t known =
          share ? common_prefix(unit.rows.back().tokens(), row.tokens()) : size_t{0};
      const size_t more = row.length - known;
      if (unit.tokens + more <= budget) {
        unit.tokens += more;
        unit.rows.push_back(row);
        continue;
      }
    }
    units.push_back({{row}, row.length});
  }
  return units;
}

void append_unit(Pack& pack, uint32_t slot, uint64_t stream, const Unit& unit, bool share) {
  const auto begin = static_cast<uint32_t>(pack.tokens.size());
  TreeBuilder builder(pack);
  if (share) {
    builder.add(unit.rows, 0, -1);
  } else {
    for (const Row& row : unit.rows) builder.add({&row, 1}, 0, -1);
  }
  const auto end = static_cast<uint32_t>(pack.tokens.size());
  if (!pack.spans.empty() && pack.spans.back().slot == slot) {
    pack.spans.back().end = end;
  } else {
    pack.spans.push_back({slot, begin, end, stream});
  }
}

}  // namespace

std::vector<Pack> make_packs(std::span<const PlanItem> items, size_t budget, bool share_prefixes) {
  std::map<uint32_t, std::vector<Row>> by_slot;
  for (uint32_t i = 0; i < items.size(); ++i) {
    const size_t length = used_length(*items[i].example);
    if (length > 0) by_slot[items[i].slot].push_back({items[i].example, i, length});
  }
  std::vector<Pack> packs;
  for (auto& [slot, rows] : by_slot) {
    uint64_t stream = 0;
    for (const Unit& unit : make_units(std::move(rows), budget, share_prefixes)) {
      if (packs.empty() || packs.back().tokens.size() + unit.tokens > budget) packs.emplace_back();
      append_unit(packs.back(), slot, stream, unit, share_prefixes);
      stream += unit.tokens;
    }
  }
  for (Pack& pack : packs) {
    std::stable_sort(pack.targets.begin(), pack.targets.end(),
                     [](const Target& a, const Target& b) { return a.row < b.row; });
  }
  return packs;
}

Pack make_whole_row(std::span<const int32_t> tokens) {
  Pack pack;
  const auto n = static_cast<uint32_t>(tokens.size());
  pack.tokens.assign(tokens.begin(), tokens.end());
  for (uint32_t i = 0; i < n; ++i) {
    pack.positions.push_back(i);
    pack.targets.push_back({i, 0, 0});
  }
  pack.segments.push_back({0, n, -1, 0});
  pack.spans.push_back({0, 0, n, 0});
  return pack;
}

}  // namespace ffe::lm
