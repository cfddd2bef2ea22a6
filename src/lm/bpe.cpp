#include "lm/bpe.hpp"

#include <queue>

namespace ffe::lm {
namespace {

constexpr uint32_t kNone = UINT32_MAX;

struct Node {
  int32_t id;  // -1: merged away
  uint32_t previous;
  uint32_t next;
};

struct Candidate {
  uint32_t rank;
  uint32_t position;
  int32_t left;
  int32_t right;
  int32_t result;

  bool operator<(const Candidate& other) const {  // std::priority_queue keeps the largest on top
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

}  // namespace

void BpeMerges::apply(std::span<const int32_t> symbols, std::vector<int32_t>& out) const {
  const auto count = static_cast<uint32_t>(symbols.size());
  std::vector<Node> nodes(count);
  for (uint32_t i = 0; i < count; ++i) {
    nodes[i] = {symbols[i], i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1};
  }
  std::vector<Candidate> store;
  store.reserve(count);
  std::priority_queue<Candidate> queue(std::less<Candidate>(), std::move(store));
  const auto consider = [&](uint32_t left) {
    const uint32_t right = left == kNone ? kNone : nodes[left].next;
    if (right == kNone) return;
    if (const BpeMerge* m = find(nodes[left].id, nodes[right].id)) {
      queue.push({m->rank, left, nodes[left].id, nodes[right].id, m->result});
    }
  };
  for (uint32_t i = 0; i < count; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    Node& left = nodes[c.position];
    // Either side may have changed since this candidate was found.
    if (left.id != c.left || left.next == kNone || nodes[left.next].id != c.right) continue;
    Node& right = nodes[left.next];
    left.id = c.result;
    left.next = right.next;
    right.id = -1;
    if (right.next != kNone) nodes[right.next].previous = c.position;
    consider(left.previous);
    consider(c.position);
  }
  for (const Node& node : nodes) {
    if (node.id >= 0) out.push_back(node.id);
  }
}

}  // namespace ffe::lm
