// What a storage node keeps: transactions in SQLite, segments as files.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "storage/flow.hpp"
#include "storage/merkle.hpp"
#include "storage/sqlite.hpp"

namespace ffe::storage {

struct StoredTx {
  Submission submission;
  bool finalized = false;          // every segment of this node's shard is here
  uint64_t uploaded_segments = 0;  // all of the file's once finalized
};

struct BlockMark {
  uint64_t number = 0;
  H256 hash;
  bool operator==(const BlockMark&) const = default;
};

struct StoreOptions {
  std::filesystem::path dir;
  Address flow_address;
  uint32_t shard_id = 0;
  uint32_t num_shard = 1;
  uint64_t max_cache_bytes = uint64_t{1} << 30;
  int cache_ttl_s = 300;
};

enum class PutResult { kStored, kDuplicate, kCacheFull };

// Thread-safe. A segment's file is written and renamed before its row is committed, and rows decide
// what exists, so a crash leaves at most a file that nobody knows.
class Store {
 public:
  // Throws Error{kIo} if the folder cannot be used or another node has it, Error{kUsage} if it
  // belongs to another Flow contract.
  explicit Store(StoreOptions options);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // --- the chain, as far as it was followed
  std::optional<BlockMark> cursor();
  std::vector<BlockMark> recent_blocks();  // newest first
  // Adds the submissions up to `upto`, claims cached segments, in one step.
  void apply(const std::vector<Submission>& submissions, const BlockMark& upto);
  // Forgets what came after block `number`; nothing = everything. Segments stay.
  void rewind(std::optional<uint64_t> number);
  uint64_t next_tx_seq();
  // Of the chain that was followed last; 0 before the first contact.
  uint64_t chain_id();
  // Notes which chain this is; on another than before, forgets all transactions.
  void set_chain(uint64_t chain_id, const H256& genesis);

  // --- transactions
  std::optional<StoredTx> tx(uint64_t seq);
  // The first finalized transaction of a root, else the first.
  std::optional<StoredTx> tx_of_root(const H256& root);
  bool is_mine(const Submission& submission, uint64_t segment) const;

  // --- segments
  // `tx`: the transaction they are for; without one they are cached for its arrival.
  PutResult put(const H256& root, uint64_t file_size, uint64_t segment, ByteView data,
                const SegmentProof& proof, bool tx_known);
  bool has(const H256& root, uint64_t segment);
  struct Segment {
    Bytes data;  // FileShape::segment_bytes of them
    SegmentProof proof;
  };
  // Nothing if it is not here. A file that does not match its proof any more is forgotten.
  std::optional<Segment> read(const Submission& submission, uint64_t segment);

 private:
  std::filesystem::path segment_path(const H256& root, uint64_t segment) const;
  void lock_folder();
  void create_tables();
  void claim_folder();
  void refresh_finality(const Submission& submission);
  void refresh_root(const H256& root);
  void refresh_all();
  void claim_cached(const Submission& submission);
  void expire_cached();
  void forget_segment(const H256& root, uint64_t segment);
  uint64_t segments_here(const Submission& submission);
  uint64_t segments_mine(const Submission& submission) const;
  StoredTx complete(Submission submission, bool finalized);
  Bytes meta(std::string_view key);
  void set_meta(std::string_view key, ByteView value);

  StoreOptions options_;
  int lock_fd_ = -1;
  std::mutex mutex_;
  std::unique_ptr<Database> db_;
  std::set<std::pair<H256, uint64_t>> writing_;
};

}  // namespace ffe::storage
