#include <atomic>
#include <mutex>
#include <thread>

#include "storage/merkle.hpp"
#include "storage/parallel.hpp"
#include "storage/tree.hpp"

namespace ffe::storage {
namespace {

constexpr uint32_t kSegmentHeight = 10;  // log2(kSegmentChunks)

std::span<uint8_t> read_padded(const Source& source, const FileShape& shape, uint64_t segment,
                               Bytes& buffer) {
  const uint64_t at = segment * kSegmentBytes;
  const uint64_t have = std::min(kSegmentBytes, shape.size - at);
  buffer.resize(shape.segment_bytes(segment));
  source.read(at, {buffer.data(), static_cast<size_t>(have)});
  std::fill(buffer.begin() + static_cast<ptrdiff_t>(have), buffer.end(), uint8_t{0});
  return buffer;
}

}  // namespace

FileTree FileTree::of(const Source& source, const Progress& progress, unsigned threads) {
  FileTree tree;
  tree.shape_ = file_shape(source.size());
  const FileShape& shape = tree.shape_;
  std::vector<H256> roots(shape.padded_segments, zero_root(kSegmentHeight));

  if (threads == 0) threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
  threads = static_cast<unsigned>(std::min<uint64_t>(threads, shape.segments));
  std::atomic<uint64_t> next{0};
  std::mutex report;
  uint64_t done = 0;
  run_parallel(threads, [&](const std::atomic<bool>& stop) {
    Bytes buffer;
    for (uint64_t i; !stop && (i = next++) < shape.segments;) {
      roots[i] = storage::segment_root(shape, i, read_padded(source, shape, i, buffer));
      if (!progress) continue;
      std::lock_guard lock(report);
      done += std::min(kSegmentBytes, shape.size - i * kSegmentBytes);
      progress(done, shape.size);
    }
  });

  tree.levels_.push_back(std::move(roots));
  while (tree.levels_.back().size() > 1) tree.levels_.push_back(level_above(tree.levels_.back()));
  tree.find_nodes(source);
  return tree;
}

void FileTree::find_nodes(const Source& source) {
  uint64_t at = 0;  // in chunks
  std::vector<H256> tail;
  for (uint32_t height : submission_heights(shape_.size)) {
    const uint64_t count = uint64_t{1} << height;
    if (height >= kSegmentHeight) {
      nodes_.push_back({levels_[height - kSegmentHeight][at >> height], height});
    } else {
      if (tail.empty()) {
        Bytes buffer;
        const uint64_t last = shape_.padded_segments - 1;
        tail = leaf_hashes(read_padded(source, shape_, last, buffer), shape_.segment_leaves(last));
      }
      const auto first = tail.begin() + static_cast<ptrdiff_t>(at % kSegmentChunks);
      nodes_.push_back({tree_root({first, first + static_cast<ptrdiff_t>(count)}), height});
    }
    at += count;
  }
}

SegmentProof FileTree::proof(uint64_t segment) const {
  if (segment >= shape_.padded_segments) {
    throw Error(ErrorCode::kBadInput, "no segment " + std::to_string(segment) + " in this file");
  }
  SegmentProof proof;
  proof.lemma.push_back(levels_.front()[segment]);
  if (levels_.size() == 1) return proof;
  for (size_t level = 0; level + 1 < levels_.size(); ++level, segment /= 2) {
    const uint64_t sibling = segment ^ 1;
    if (sibling >= levels_[level].size()) continue;  // promoted
    proof.lemma.push_back(levels_[level][sibling]);
    proof.path.push_back(segment % 2 == 0);
  }
  proof.lemma.push_back(root());
  return proof;
}

}  // namespace ffe::storage
