// Shards: which node holds which segment, and which nodes together hold all of them.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "storage/merkle.hpp"

namespace ffe::storage {

// A node of shard (id, count) holds the segments of the flow whose index is id modulo count.
struct Shard {
  uint32_t id = 0;
  uint32_t count = 1;  // a power of two

  bool valid() const { return count != 0 && (count & (count - 1)) == 0 && id < count; }
  bool holds(uint64_t flow_segment) const { return flow_segment % count == id; }
  bool operator==(const Shard&) const = default;
};

struct ShardedNode {
  std::string url;
  Shard shard;
};

Json to_json(const Shard& shard);
// Throws Error{kBadInput} unless it is {"shardId":…, "numShard":…} and valid.
Shard shard_from_json(const Json& json, std::string_view what);

// How often each segment of the flow is held at least.
unsigned coverage(const std::vector<Shard>& shards);

// The nodes, coarse shards first, that are needed to hold everything `replicas` times, as the
// official clients choose them ("min"). Empty if they do not suffice.
std::vector<ShardedNode> select_nodes(std::vector<ShardedNode> nodes, unsigned replicas);

}  // namespace ffe::storage
