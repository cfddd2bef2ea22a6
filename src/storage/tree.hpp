// Steps of the Merkle tree that the room's files share.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::storage {

H256 tree_parent(const H256& left, const H256& right);
// Pairs from the left, an odd last node promoted as it is.
std::vector<H256> level_above(std::span<const H256> level);
H256 tree_root(std::vector<H256> level);
// Chunk hashes of `data`, filled up with zero chunks to `leaves`.
std::vector<H256> leaf_hashes(ByteView data, uint64_t leaves);

}  // namespace ffe::storage
