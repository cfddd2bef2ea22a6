#include "storage/merkle.hpp"

#include <bit>

#include "base/hex.hpp"
#include "crypto/keccak.hpp"
#include "storage/tree.hpp"

namespace ffe::storage {
namespace {

constexpr uint32_t kSegmentHeight = 10;  // log2(kSegmentChunks)

std::vector<H256> zero_roots() {
  const Bytes zeros(kChunkBytes, 0);
  std::vector<H256> out{crypto::keccak256(zeros)};
  while (out.size() < 64) out.push_back(tree_parent(out.back(), out.back()));
  return out;
}

// Root over `count` zero segments, promoted nodes included.
H256 zero_segments_root(uint64_t count) {
  std::optional<H256> root;
  for (uint32_t bit = 0; count != 0; ++bit, count >>= 1) {
    if ((count & 1) == 0) continue;
    const H256& part = zero_root(kSegmentHeight + bit);
    root = root ? tree_parent(part, *root) : part;
  }
  return *root;
}

}  // namespace

H256 tree_parent(const H256& left, const H256& right) {
  uint8_t both[64];
  std::memcpy(both, left.data(), 32);
  std::memcpy(both + 32, right.data(), 32);
  return crypto::keccak256(ByteView(both, 64));
}

std::vector<H256> level_above(std::span<const H256> level) {
  static_assert(sizeof(H256) == 32);
  const size_t pairs = level.size() / 2;
  std::vector<H256> up(pairs + level.size() % 2);
  crypto::keccak256_many(level.front().data(), 64, 64, up.data(), pairs);
  if (level.size() % 2 != 0) up.back() = level.back();
  return up;
}

H256 tree_root(std::vector<H256> level) {
  while (level.size() > 1) level = level_above(level);
  return level.front();
}

std::vector<H256> leaf_hashes(ByteView data, uint64_t leaves) {
  std::vector<H256> out(leaves, zero_root(0));
  const size_t whole = data.size() / kChunkBytes;
  crypto::keccak256_many(data.data(), kChunkBytes, kChunkBytes, out.data(), whole);
  if (const size_t rest = data.size() % kChunkBytes; rest != 0) {
    uint8_t last[kChunkBytes] = {};
    std::memcpy(last, data.data() + whole * kChunkBytes, rest);
    out[whole] = crypto::keccak256(ByteView(last, kChunkBytes));
  }
  return out;
}

uint64_t FileShape::segment_bytes(uint64_t index) const {
  const uint64_t first = index * kSegmentChunks;
  return std::min(kSegmentChunks, chunks - first) * kChunkBytes;
}

uint64_t FileShape::segment_leaves(uint64_t index) const {
  return std::min(kSegmentChunks, padded_chunks - index * kSegmentChunks);
}

FileShape file_shape(uint64_t size) {
  if (size == 0) {
    throw Error(ErrorCode::kBadInput, "0G Storage cannot hold a file of 0 bytes");
  }
  if (size > kMaxFileBytes) {
    throw Error(ErrorCode::kBadInput, "file size " + std::to_string(size) + " is out of range");
  }
  FileShape s;
  s.size = size;
  s.chunks = (size - 1) / kChunkBytes + 1;
  const uint64_t next = std::bit_ceil(s.chunks);
  const uint64_t unit = next >= 16 ? next / 16 : 1;
  s.padded_chunks = (s.chunks + unit - 1) / unit * unit;
  s.segments = (s.chunks - 1) / kSegmentChunks + 1;
  s.padded_segments = (s.padded_chunks - 1) / kSegmentChunks + 1;
  return s;
}

std::vector<uint32_t> submission_heights(uint64_t size) {
  std::vector<uint32_t> out;
  uint64_t left = file_shape(size).padded_chunks;
  while (left != 0) {
    const uint64_t node = std::bit_floor(left);
    out.push_back(static_cast<uint32_t>(std::countr_zero(node)));
    left -= node;
  }
  return out;
}

H256 root_of_nodes(std::span<const SubmissionNode> nodes) {
  if (nodes.empty()) throw Error(ErrorCode::kBadInput, "a submission without nodes");
  H256 root = nodes.back().root;
  for (size_t i = nodes.size() - 1; i-- > 0;) root = tree_parent(nodes[i].root, root);
  return root;
}

H256 identity_of_nodes(std::span<const SubmissionNode> nodes) {
  Bytes roots;
  for (const SubmissionNode& node : nodes) append(roots, node.root.bytes);
  return crypto::keccak256(roots);
}

const H256& zero_root(uint32_t height) {
  static const std::vector<H256> roots = zero_roots();
  return roots.at(height);
}

H256 segment_root(const FileShape& shape, uint64_t index, ByteView data) {
  if (index >= shape.segments) {
    throw Error(ErrorCode::kBadInput, "segment " + std::to_string(index) + " of a file with " +
                                          std::to_string(shape.segments));
  }
  if (data.size() != shape.segment_bytes(index)) {
    throw Error(ErrorCode::kBadInput, "segment " + std::to_string(index) + " has " +
                                          std::to_string(data.size()) + " bytes instead of " +
                                          std::to_string(shape.segment_bytes(index)));
  }
  return tree_root(leaf_hashes(data, shape.segment_leaves(index)));
}

Json to_json(const SegmentProof& proof) {
  Json lemma = Json::array(), path = Json::array();
  for (const H256& hash : proof.lemma) lemma.push_back(to_hex0x(hash.bytes));
  for (bool left : proof.path) path.push_back(left);
  return {{"lemma", lemma}, {"path", path}};
}

SegmentProof proof_from_json(const Json& json, std::string_view what) {
  constexpr size_t kMaxLevels = 64;
  const std::string name(what);
  const Json& lemma = json_member(json, "lemma", what);
  const Json& path = json_member(json, "path", what);
  if (!lemma.is_array() || !path.is_array() || lemma.size() > kMaxLevels + 2 ||
      path.size() > kMaxLevels) {
    throw Error(ErrorCode::kBadInput, name + ": lemma and path must be short arrays");
  }
  SegmentProof proof;
  for (const Json& hash : lemma) {
    if (!hash.is_string() || hash.get_ref<const std::string&>().size() != 66) {
      throw Error(ErrorCode::kBadInput, name + ".lemma: not a hash of 32 bytes");
    }
    proof.lemma.push_back(h256_from_hex(hash.get_ref<const std::string&>()));
  }
  for (const Json& left : path) {
    if (!left.is_boolean()) throw Error(ErrorCode::kBadInput, name + ".path: not a boolean");
    proof.path.push_back(left.get<bool>());
  }
  return proof;
}

std::string_view proof_check_text(ProofCheck check) {
  switch (check) {
    case ProofCheck::kOk:
      return "holds";
    case ProofCheck::kBadFormat:
      return "invalid proof";
    case ProofCheck::kWrongRoot:
      return "root mismatch";
    case ProofCheck::kWrongPosition:
      return "wrong position";
    case ProofCheck::kWrongPath:
      return "validation failed";
    case ProofCheck::kBadPadding:
      return "invalid proof node value in the padding range";
  }
  return "unknown";
}

ProofCheck check_proof(const FileShape& shape, const H256& root, uint64_t index,
                       const H256& segment_root, const SegmentProof& proof) {
  const auto& [lemma, path] = proof;
  if (shape.padded_segments == 1) {
    if (lemma.size() != 1 || !path.empty()) return ProofCheck::kBadFormat;
    if (lemma[0] != root) return ProofCheck::kWrongRoot;
    if (index != 0) return ProofCheck::kWrongPosition;
    return segment_root == root ? ProofCheck::kOk : ProofCheck::kWrongPath;
  }
  if (path.empty() || lemma.size() != path.size() + 2) return ProofCheck::kBadFormat;
  if (lemma.back() != root) return ProofCheck::kWrongRoot;
  if (lemma.front() != segment_root) return ProofCheck::kWrongPath;

  H256 hash = segment_root;
  for (size_t i = 0; i < path.size(); ++i) {
    hash = path[i] ? tree_parent(hash, lemma[i + 1]) : tree_parent(lemma[i + 1], hash);
  }
  if (hash != root) return ProofCheck::kWrongPath;

  // From the root down: `count` leaves below the current node, the first of them at `position`.
  uint64_t count = shape.padded_segments, position = 0;
  for (size_t i = path.size(); i-- > 0;) {
    if (count < 2) return ProofCheck::kWrongPosition;
    const uint64_t half = std::bit_ceil(count) / 2;
    if (path[i]) {
      if (position + half >= shape.segments && lemma[i + 1] != zero_segments_root(count - half)) {
        return ProofCheck::kBadPadding;
      }
      count = half;
    } else {
      position += half;
      count -= half;
    }
  }
  return count == 1 && position == index ? ProofCheck::kOk : ProofCheck::kWrongPosition;
}

void SegmentFolder::push(const H256& segment_root) {
  Subtree subtree{segment_root, 0};
  while (!stack_.empty() && stack_.back().height == subtree.height) {
    subtree = {tree_parent(stack_.back().root, subtree.root), subtree.height + 1};
    stack_.pop_back();
  }
  stack_.push_back(subtree);
}

H256 SegmentFolder::finish(const FileShape& shape) {
  for (uint64_t i = shape.segments; i < shape.padded_segments; ++i) {
    push(zero_root(kSegmentHeight));
  }
  H256 root = stack_.back().root;
  for (size_t i = stack_.size() - 1; i-- > 0;) root = tree_parent(stack_[i].root, root);
  return root;
}

RootHasher::RootHasher() {
  buffer_.reserve(kSegmentBytes);
}

void RootHasher::update(ByteView bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    // A full buffer waits until more bytes come, since the last segment is padded otherwise.
    if (buffer_.size() == kSegmentBytes) {
      add_segment(buffer_.data());
      buffer_.clear();
    }
    if (buffer_.empty() && bytes.size() > kSegmentBytes) {
      add_segment(bytes.data());
      bytes = bytes.subspan(kSegmentBytes);
      continue;
    }
    const size_t n = std::min<size_t>(bytes.size(), kSegmentBytes - buffer_.size());
    append(buffer_, bytes.first(n));
    bytes = bytes.subspan(n);
  }
}

void RootHasher::add_segment(const uint8_t* data) {
  levels_.push(tree_root(leaf_hashes({data, kSegmentBytes}, kSegmentChunks)));
  ++full_segments_;
}

H256 RootHasher::finish() {
  const FileShape shape = file_shape(size_);
  levels_.push(tree_root(leaf_hashes(buffer_, shape.segment_leaves(full_segments_))));
  return levels_.finish(shape);
}

H256 data_root(ByteView bytes) {
  RootHasher hasher;
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace ffe::storage
