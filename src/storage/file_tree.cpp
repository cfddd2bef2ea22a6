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

// Roots of segments of a source, several at once, with one progress over all calls.
class SegmentHasher {
 public:
  SegmentHasher(const Source& source, const Progress& progress, unsigned threads)
      : source_(source), shape_(file_shape(source.size())), progress_(progress) {
    if (threads == 0) threads = std::clamp(std::thread::hardware_concurrency(), 1u, 8u);
    threads_ = threads;
  }

  const FileShape& shape() const { return shape_; }

  // Of the segments from `first` on, as many as `out` has.
  void hash(uint64_t first, std::span<H256> out) {
    std::atomic<size_t> next{0};
    const auto threads = static_cast<unsigned>(std::min<size_t>(threads_, out.size()));
    run_parallel(threads, [&](const std::atomic<bool>& stop) {
      Bytes buffer;
      for (size_t i; !stop && (i = next++) < out.size();) {
        const uint64_t index = first + i;
        out[i] = segment_root(shape_, index, read_padded(source_, shape_, index, buffer));
        advance(std::min(kSegmentBytes, shape_.size - index * kSegmentBytes));
      }
    });
  }

 private:
  void advance(uint64_t bytes) {
    std::lock_guard lock(mutex_);
    done_ += bytes;
    report(progress_, done_, shape_.size);
  }

  const Source& source_;
  const FileShape shape_;
  const Progress& progress_;
  unsigned threads_;
  std::mutex mutex_;
  uint64_t done_ = 0;
};

}  // namespace

H256 data_root(const Source& source, const Progress& progress, unsigned threads) {
  constexpr uint64_t kBatch = 256;  // segments: 64 MiB of the file, 8 KiB of roots
  SegmentHasher hasher(source, progress, threads);
  SegmentFolder folder;
  std::vector<H256> roots;
  for (uint64_t at = 0; at < hasher.shape().segments; at += kBatch) {
    roots.resize(std::min(kBatch, hasher.shape().segments - at));
    hasher.hash(at, roots);
    for (const H256& root : roots) folder.push(root);
  }
  return folder.finish(hasher.shape());
}

FileTree FileTree::of(const Source& source, const Progress& progress, unsigned threads) {
  SegmentHasher hasher(source, progress, threads);
  FileTree tree;
  tree.shape_ = hasher.shape();
  std::vector<H256> roots(tree.shape_.padded_segments, zero_root(kSegmentHeight));
  hasher.hash(0, std::span(roots).first(tree.shape_.segments));

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
