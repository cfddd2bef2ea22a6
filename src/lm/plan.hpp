// From examples to packs: what goes through the model together, with common beginnings only once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lm/example.hpp"

namespace ffe::lm {

struct PlanItem {
  uint32_t slot = 0;  // which adapter; items of one slot may share prefixes
  const Example* example = nullptr;
};

// A run of tokens that sees itself causally and, before it, all of its ancestors.
struct Segment {
  uint32_t begin = 0, end = 0;  // rows of the pack
  int32_t parent = -1;          // index of a segment before it
  uint32_t context = 0;         // tokens of all ancestors
};

// The prediction at `row` is for `token` and counts in `item`'s loss.
struct Target {
  uint32_t row = 0;
  int32_t token = 0;
  uint32_t item = 0;
};

// Consecutive rows under one adapter.
struct SlotSpan {
  uint32_t slot = 0;
  uint32_t begin = 0, end = 0;
  uint64_t stream = 0;  // how many rows of this slot came before in the plan
};

struct Pack {
  std::vector<int32_t> tokens;
  std::vector<uint32_t> positions;
  std::vector<Segment> segments;
  std::vector<SlotSpan> spans;
  std::vector<Target> targets;  // sorted by row
};

// Tokens after the last target predict nothing and are left out. Items of one slot are sorted and
// cut into units of at most `budget` tokens (a longer row is a unit of its own) that depend on
// that slot's items alone; packs take whole units while they fit. Every slot's rows therefore
// appear in one order whatever the other slots hold. Items without targets are skipped.
std::vector<Pack> make_packs(std::span<const PlanItem> items, size_t budget, bool share_prefixes);

// One row whose every position is predicted from.
Pack make_whole_row(std::span<const int32_t> tokens);

}  // namespace ffe::lm
