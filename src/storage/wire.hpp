// The JSON of the zgs_ interface, as official nodes write it and clients read it.
#pragma once

#include "base/json.hpp"
#include "storage/client.hpp"
#include "storage/merkle.hpp"
#include "storage/store.hpp"

namespace ffe::storage {

// A segment on its way: {"root","data","index","proof","fileSize"}.
struct WireSegment {
  H256 root;
  Bytes data;
  uint64_t index = 0;
  SegmentProof proof;
  uint64_t file_size = 0;
};

Json to_json(const WireSegment& segment);
// Throws Error{kBadInput} naming the member.
WireSegment segment_from_json(const Json& json, std::string_view what);

Json file_info_json(const StoredTx& tx);
// Throws Error{kBadInput} naming the member; besides types it checks that the nodes are the padding
// of the size and lead to `root`.
FileInfo file_info_from_json(const Json& json, const H256& root, std::string_view what);

// "0x" and exactly 64 digits. Throws Error{kBadInput}.
H256 hash_from_json(const Json& json, std::string_view what);

}  // namespace ffe::storage
