// The Merkle tree of 0G Storage: chunks of 256 bytes, segments of 1024 chunks, Keccak-256, flow
// padding. Roots, submission nodes and proofs are those of the official SDKs
// (docs/spec/storage.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "base/progress.hpp"

namespace ffe::storage {

inline constexpr uint64_t kChunkBytes = 256;
inline constexpr uint64_t kSegmentChunks = 1024;
inline constexpr uint64_t kSegmentBytes = kChunkBytes * kSegmentChunks;
// The largest single file of the official clients; larger ones are cut into fragments of this size.
inline constexpr uint64_t kFragmentBytes = uint64_t{4} << 30;
// Above this the shape arithmetic is refused as hostile (the contract's bound is h[0] < 64).
inline constexpr uint64_t kMaxFileBytes = uint64_t{1} << 62;

// Sizes that follow from a file's length in bytes.
struct FileShape {
  uint64_t size = 0;             // bytes, >= 1
  uint64_t chunks = 0;           // ceil(size / 256): the chunks that hold data
  uint64_t padded_chunks = 0;    // with flow padding: the leaves of the tree
  uint64_t segments = 0;         // ceil(chunks / 1024): the segments that travel
  uint64_t padded_segments = 0;  // ceil(padded_chunks / 1024): the leaves of segment proofs

  // Bytes of segment `index` on the wire: real chunks only, the last chunk filled with zeros.
  uint64_t segment_bytes(uint64_t index) const;
  // Leaves of segment `index` in the tree, flow padding included.
  uint64_t segment_leaves(uint64_t index) const;
};

// Throws Error{kBadInput} for 0 bytes (0G Storage cannot represent them) and above kMaxFileBytes.
FileShape file_shape(uint64_t size);

// Heights of the perfect subtrees ("submission nodes") of a padded file, strictly descending.
std::vector<uint32_t> submission_heights(uint64_t size);

struct SubmissionNode {
  H256 root;
  uint32_t height = 0;  // log2 of its chunks
  auto operator<=>(const SubmissionNode&) const = default;
};

// The data root that a Submit event's nodes stand for. Throws Error{kBadInput} when empty.
H256 root_of_nodes(std::span<const SubmissionNode> nodes);
// The event's indexed `identity`: keccak256 of the node roots in a row (not the data root).
H256 identity_of_nodes(std::span<const SubmissionNode> nodes);

// Root of a perfect tree over 2^height zero chunks; height < 64.
const H256& zero_root(uint32_t height);

// Path from a segment root to the data root. lemma = segment root, siblings bottom up, data root;
// path[i] is true where the current node is the left child. One segment: lemma = {root}, path = {}.
struct SegmentProof {
  std::vector<H256> lemma;
  std::vector<bool> path;
  auto operator<=>(const SegmentProof&) const = default;
};

Json to_json(const SegmentProof& proof);
// Throws Error{kBadInput} naming `what` unless it has the shape of a proof of at most 64 levels.
SegmentProof proof_from_json(const Json& json, std::string_view what);

// Root of one segment as it travels (FileShape::segment_bytes), with its flow padding added.
// Throws Error{kBadInput} if `data` has another length.
H256 segment_root(const FileShape& shape, uint64_t index, ByteView data);

// Why a proof does not hold; kOk if it does.
enum class ProofCheck { kOk, kBadFormat, kWrongRoot, kWrongPosition, kWrongPath, kBadPadding };
std::string_view proof_check_text(ProofCheck check);

// Checks that `proof` places `segment_root` at `index` of the file `root` of shape `shape`:
// every hash, the position that the path spells, and zero hashes where a right-hand sibling lies
// wholly in flow padding.
ProofCheck check_proof(const FileShape& shape, const H256& root, uint64_t index,
                       const H256& segment_root, const SegmentProof& proof);

// Folds segment roots, in order, into the data root: keeps one hash per level.
class SegmentFolder {
 public:
  void push(const H256& segment_root);
  // After `shape.segments` roots; adds the padding. The folder is spent afterwards.
  H256 finish(const FileShape& shape);

 private:
  struct Subtree {
    H256 root;
    uint32_t height;  // in segments: log2
  };
  std::vector<Subtree> stack_;
};

// Data root of a stream in constant memory (one segment and one hash per level).
class RootHasher {
 public:
  RootHasher();
  void update(ByteView bytes);
  // Throws Error{kBadInput} if nothing came. The hasher is spent afterwards.
  H256 finish();
  uint64_t size() const { return size_; }

 private:
  void add_segment(const uint8_t* data);

  Bytes buffer_;
  uint64_t size_ = 0;
  uint64_t full_segments_ = 0;
  SegmentFolder levels_;
};

H256 data_root(ByteView bytes);

// Bytes that can be read at any offset by several threads at once: a file or memory.
class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size() const = 0;
  // Fills `out` from `offset`; throws Error{kIo} when the bytes are not there any more.
  virtual void read(uint64_t offset, std::span<uint8_t> out) const = 0;
};

// Whole file, or `length` bytes from `offset` (a fragment). The file must not change meanwhile.
std::unique_ptr<Source> open_source(const std::filesystem::path& path);
std::unique_ptr<Source> open_source(const std::filesystem::path& path, uint64_t offset,
                                    uint64_t length);
std::unique_ptr<Source> memory_source(ByteView bytes);  // keeps the view, not a copy

// Data root of a source in constant memory, read once by up to `threads` threads (0 = as many as
// the machine has, at most 8). Throws Error{kBadInput} when it is empty, kIo that names the file.
H256 data_root(const Source& source, const Progress& progress = {}, unsigned threads = 0);

// The tree of a file: keeps one hash per segment, so 4 GiB take 512 KiB.
class FileTree {
 public:
  // Reads the source once, by threads as data_root() does.
  static FileTree of(const Source& source, const Progress& progress = {}, unsigned threads = 0);

  const FileShape& shape() const { return shape_; }
  const H256& root() const { return levels_.back().front(); }
  const H256& segment_root(uint64_t index) const { return levels_.front().at(index); }
  SegmentProof proof(uint64_t segment) const;
  std::vector<SubmissionNode> nodes() const { return nodes_; }

 private:
  void find_nodes(const Source& source);

  FileShape shape_;
  std::vector<std::vector<H256>> levels_;  // segment roots (padded segments) up to the root
  std::vector<SubmissionNode> nodes_;
};

}  // namespace ffe::storage
