#include "storage/shards.hpp"

#include <memory>

namespace ffe::storage {
namespace {

// A binary tree over shard numbers: the children of shard (id, n) are (id, 2n) and (id + n, 2n).
class CoverTree {
 public:
  CoverTree(uint64_t count, unsigned wanted) : count_(count), wanted_(wanted) {}

  // False if this shard has its replicas already.
  bool insert(const Shard& shard, uint64_t path) {
    if (replicas_ >= wanted_) return false;
    if (count_ == shard.count) {
      ++replicas_;
      ++pending_;
      return true;
    }
    push_down();
    const bool inserted = children_[path % 2]->insert(shard, path / 2);
    replicas_ = std::min(children_[0]->replicas_, children_[1]->replicas_);
    return inserted;
  }

  unsigned replicas() const { return replicas_; }

 private:
  void push_down() {
    for (auto& child : children_) {
      if (!child) child = std::make_unique<CoverTree>(count_ * 2, wanted_);
      child->replicas_ += pending_;
      child->pending_ += pending_;
    }
    pending_ = 0;
  }

  uint64_t count_;
  unsigned wanted_;
  unsigned replicas_ = 0;
  unsigned pending_ = 0;  // replicas that the children do not know of yet
  std::unique_ptr<CoverTree> children_[2];
};

}  // namespace

Json to_json(const Shard& shard) {
  return {{"shardId", shard.id}, {"numShard", shard.count}};
}

Shard shard_from_json(const Json& json, std::string_view what) {
  const uint64_t id = json_uint(json, "shardId", what);
  const uint64_t count = json_uint(json, "numShard", what);
  if (count > UINT32_MAX || id > UINT32_MAX) {
    throw Error(ErrorCode::kBadInput, std::string(what) + ": shard numbers out of range");
  }
  const Shard shard{static_cast<uint32_t>(id), static_cast<uint32_t>(count)};
  if (!shard.valid()) {
    throw Error(ErrorCode::kBadInput,
                std::string(what) + ": numShard must be a power of two above shardId");
  }
  return shard;
}

unsigned coverage(const std::vector<Shard>& shards) {
  CoverTree tree(1, static_cast<unsigned>(shards.size()) + 1);
  for (const Shard& shard : shards) tree.insert(shard, shard.id);
  return tree.replicas();
}

std::vector<ShardedNode> select_nodes(std::vector<ShardedNode> nodes, unsigned replicas) {
  std::stable_sort(nodes.begin(), nodes.end(), [](const ShardedNode& a, const ShardedNode& b) {
    return std::pair(a.shard.count, a.shard.id) < std::pair(b.shard.count, b.shard.id);
  });
  CoverTree tree(1, replicas);
  std::vector<ShardedNode> chosen;
  for (ShardedNode& node : nodes) {
    if (tree.replicas() >= replicas) break;
    if (tree.insert(node.shard, node.shard.id)) chosen.push_back(std::move(node));
  }
  if (tree.replicas() < replicas) return {};
  return chosen;
}

}  // namespace ffe::storage
