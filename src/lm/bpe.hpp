// Byte-pair merging over token ids.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace ffe::lm {

struct BpeMerge {
  uint32_t rank;   // lower merges first; equal ranks from left to right
  int32_t result;  // the token that the pair becomes
};

class BpeMerges {
 public:
  void reserve(size_t n) { merges_.reserve(n); }
  // Keeps the first of two entries for one pair.
  void add(int32_t left, int32_t right, BpeMerge merge) {
    merges_.emplace(key(left, right), merge);
  }
  const BpeMerge* find(int32_t left, int32_t right) const {
    auto it = merges_.find(key(left, right));
    return it == merges_.end() ? nullptr : &it->second;
  }

  // Merges `symbols` until nothing applies, lowest rank first, and appends what is left to `out`.
  // O(n log n).
  void apply(std::span<const int32_t> symbols, std::vector<int32_t>& out) const;

 private:
  static uint64_t key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  struct Hash {
    size_t operator()(uint64_t k) const { return (k ^ k >> 29) * 0x9e3779b97f4a7c15u >> 7; }
  };
  std::unordered_map<uint64_t, BpeMerge, Hash> merges_;
};

}  // namespace ffe::lm
