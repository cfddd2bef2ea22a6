#include "storage/store.hpp"

#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/log.hpp"
#include "storage/store_rows.hpp"

namespace ffe::storage {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kBlockMarks = 1000;  // reorgs deeper than this restart from the first block

uint64_t now_s() {
  using namespace std::chrono;
  return static_cast<uint64_t>(
      duration_cast<seconds>(system_clock::now().time_since_epoch()).count());
}

}  // namespace

Store::Store(StoreOptions options) : options_(std::move(options)) {
  std::error_code ec;
  fs::create_directories(options_.dir / "segments", ec);
  if (ec) {
    throw Error(ErrorCode::kIo, "cannot create " + options_.dir.string() + ": " + ec.message());
  }
  lock_folder();
  try {
    db_ = std::make_unique<Database>(options_.dir / "node.sqlite");
    create_tables();
    claim_folder();
  } catch (...) {
    db_.reset();
    ::close(lock_fd_);
    throw;
  }
}

Store::~Store() {
  db_.reset();
  ::close(lock_fd_);
}

void Store::lock_folder() {
  const fs::path path = options_.dir / "lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_fd_ >= 0 && ::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return;
  if (lock_fd_ >= 0) ::close(lock_fd_);
  throw Error(ErrorCode::kIo, options_.dir.string() + " is in use by another storage node",
              "give each node its own folder");
}

void Store::create_tables() {
  db_->execute(
      "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
      "CREATE TABLE IF NOT EXISTS blocks(number INTEGER PRIMARY KEY, hash BLOB NOT NULL);"
      "CREATE TABLE IF NOT EXISTS txs(seq INTEGER PRIMARY KEY, root BLOB NOT NULL,"
      " size INTEGER NOT NULL, start INTEGER NOT NULL, nodes BLOB NOT NULL, tags BLOB NOT NULL,"
      " submitter BLOB NOT NULL, block INTEGER NOT NULL, block_hash BLOB NOT NULL,"
      " tx_hash BLOB NOT NULL, finalized INTEGER NOT NULL);"
      "CREATE INDEX IF NOT EXISTS txs_of_root ON txs(root, seq);"
      // cached_at: 0, or when a segment came whose transaction was not known yet.
      "CREATE TABLE IF NOT EXISTS segments(root BLOB, idx INTEGER, proof BLOB NOT NULL,"
      " file_size INTEGER NOT NULL, bytes INTEGER NOT NULL, cached_at INTEGER NOT NULL,"
      " PRIMARY KEY(root, idx)) WITHOUT ROWID;"
      "CREATE INDEX IF NOT EXISTS segments_cached ON segments(cached_at) WHERE cached_at > 0;");
}

void Store::claim_folder() {
  const Bytes flow = meta("flow");
  if (flow.empty()) {
    set_meta("flow", options_.flow_address.bytes);
  } else if (flow != Bytes(options_.flow_address.begin(), options_.flow_address.end())) {
    throw Error(ErrorCode::kUsage,
                options_.dir.string() + " belongs to the Flow contract " + to_hex0x(flow),
                "use another folder, or remove this one");
  }
  Bytes shard(16);
  put_be64(shard.data(), options_.shard_id);
  put_be64(shard.data() + 8, options_.num_shard);
  if (meta("shard") == shard) return;
  refresh_all();
  set_meta("shard", shard);
}

Bytes Store::meta(std::string_view key) {
  Query q = db_->query("SELECT value FROM meta WHERE key = ?");
  q.bind(key);
  return q.step() ? q.bytes(0) : Bytes{};
}

void Store::set_meta(std::string_view key, ByteView value) {
  db_->query("INSERT OR REPLACE INTO meta VALUES(?, ?)").bind(key).bind(value).run();
}

// --- the chain

std::optional<BlockMark> Store::cursor() {
  std::lock_guard lock(mutex_);
  Query q = db_->query("SELECT number, hash FROM blocks ORDER BY number DESC LIMIT 1");
  if (!q.step()) return std::nullopt;
  return BlockMark{q.number(0), q.fixed<32>(1)};
}

std::vector<BlockMark> Store::recent_blocks() {
  std::lock_guard lock(mutex_);
  Query q = db_->query("SELECT number, hash FROM blocks ORDER BY number DESC");
  std::vector<BlockMark> out;
  while (q.step()) out.push_back({q.number(0), q.fixed<32>(1)});
  return out;
}

void Store::apply(const std::vector<Submission>& submissions, const BlockMark& upto) {
  std::lock_guard lock(mutex_);
  Transaction step(*db_);
  for (const Submission& s : submissions) {
    insert_tx(*db_, s);
    claim_cached(s);
    refresh_finality(s);
  }
  db_->query("INSERT OR REPLACE INTO blocks VALUES(?, ?)")
      .bind(upto.number)
      .bind(upto.hash.bytes)
      .run();
  db_->query(
         "DELETE FROM blocks WHERE number NOT IN"
         " (SELECT number FROM blocks ORDER BY number DESC LIMIT ?)")
      .bind(kBlockMarks)
      .run();
  step.commit();
  expire_cached();
}

void Store::rewind(std::optional<uint64_t> number) {
  std::lock_guard lock(mutex_);
  Transaction step(*db_);
  if (number) {
    db_->query("DELETE FROM txs WHERE block > ?").bind(*number).run();
    db_->query("DELETE FROM blocks WHERE number > ?").bind(*number).run();
  } else {
    db_->execute("DELETE FROM txs; DELETE FROM blocks");
  }
  step.commit();
}

uint64_t Store::next_tx_seq() {
  std::lock_guard lock(mutex_);
  Query q = db_->query("SELECT COALESCE(MAX(seq) + 1, 0) FROM txs");
  return q.step() ? q.number(0) : 0;
}

uint64_t Store::chain_id() {
  std::lock_guard lock(mutex_);
  const Bytes chain = meta("chain");
  return chain.size() == 40 ? get_be64(chain.data()) : 0;
}

void Store::set_chain(uint64_t chain_id, const H256& genesis) {
  Bytes chain(8);
  put_be64(chain.data(), chain_id);
  append(chain, genesis.bytes);
  std::lock_guard lock(mutex_);
  const Bytes before = meta("chain");
  if (before == chain) return;
  Transaction step(*db_);
  if (!before.empty()) {
    log::info("storage node: another chain than before, starting over");
    db_->execute("DELETE FROM txs; DELETE FROM blocks");
  }
  set_meta("chain", chain);
  step.commit();
}

// --- transactions

bool Store::is_mine(const Submission& submission, uint64_t segment) const {
  const uint64_t global = submission.start_entry / kSegmentChunks + segment;
  return global % options_.num_shard == options_.shard_id;
}

uint64_t Store::segments_mine(const Submission& submission) const {
  const uint64_t first = submission.start_entry / kSegmentChunks;
  const uint64_t count = file_shape(submission.size).segments;
  // Numbers congruent to shard_id in [0, n).
  auto below = [&](uint64_t n) {
    return n > options_.shard_id ? (n - options_.shard_id - 1) / options_.num_shard + 1 : 0;
  };
  return below(first + count) - below(first);
}

uint64_t Store::segments_here(const Submission& submission) {
  Query q = db_->query(
      "SELECT COUNT(*) FROM segments WHERE root = ? AND cached_at = 0 AND idx < ?"
      " AND (idx + ?) % ? = ?");
  q.bind(submission.root.bytes)
      .bind(file_shape(submission.size).segments)
      .bind(submission.start_entry / kSegmentChunks)
      .bind(options_.num_shard)
      .bind(options_.shard_id);
  return q.step() ? q.number(0) : 0;
}

StoredTx Store::complete(Submission submission, bool finalized) {
  StoredTx tx;
  tx.finalized = finalized;
  tx.uploaded_segments =
      finalized ? file_shape(submission.size).segments : segments_here(submission);
  tx.submission = std::move(submission);
  return tx;
}

std::optional<StoredTx> Store::tx(uint64_t seq) {
  std::lock_guard lock(mutex_);
  auto row = select_tx(*db_, seq);
  if (!row) return std::nullopt;
  return complete(std::move(row->submission), row->finalized);
}

std::optional<StoredTx> Store::tx_of_root(const H256& root) {
  std::lock_guard lock(mutex_);
  auto row = select_tx(*db_, root);
  if (!row) return std::nullopt;
  return complete(std::move(row->submission), row->finalized);
}

void Store::refresh_finality(const Submission& submission) {
  const bool all = segments_here(submission) == segments_mine(submission);
  db_->query("UPDATE txs SET finalized = ? WHERE seq = ?")
      .bind(all ? 1 : 0)
      .bind(submission.tx_seq)
      .run();
}

void Store::refresh_root(const H256& root) {
  for (const TxRow& row : select_txs(*db_, root)) refresh_finality(row.submission);
}

void Store::refresh_all() {
  std::vector<Bytes> roots;
  {
    Query q = db_->query("SELECT DISTINCT root FROM txs");
    while (q.step()) roots.push_back(q.bytes(0));
  }
  for (const Bytes& root : roots) refresh_root(H256::from(root));
}

// --- segments

fs::path Store::segment_path(const H256& root, uint64_t segment) const {
  const std::string name = to_hex(root.bytes);
  return options_.dir / "segments" / name.substr(0, 2) / name / std::to_string(segment);
}

bool Store::has(const H256& root, uint64_t segment) {
  std::lock_guard lock(mutex_);
  Query q = db_->query("SELECT 1 FROM segments WHERE root = ? AND idx = ?");
  return q.bind(root.bytes).bind(segment).step();
}

PutResult Store::put(const H256& root, uint64_t file_size, uint64_t segment, ByteView data,
                     const SegmentProof& proof, bool tx_known) {
  const auto key = std::pair(root, segment);
  {
    std::lock_guard lock(mutex_);
    if (writing_.contains(key)) return PutResult::kDuplicate;
    {
      Query q = db_->query("SELECT cached_at FROM segments WHERE root = ? AND idx = ?");
      if (q.bind(root.bytes).bind(segment).step() && (q.number(0) == 0 || !tx_known)) {
        return PutResult::kDuplicate;
      }
    }
    if (!tx_known) {
      expire_cached();
      Query q = db_->query("SELECT COALESCE(SUM(bytes), 0) FROM segments WHERE cached_at > 0");
      if (q.step() && q.number(0) + data.size() > options_.max_cache_bytes) {
        return PutResult::kCacheFull;
      }
    }
    writing_.insert(key);
  }
  struct Unmark {
    Store& store;
    const std::pair<H256, uint64_t>& key;
    ~Unmark() {
      std::lock_guard lock(store.mutex_);
      store.writing_.erase(key);
    }
  } unmark{*this, key};

  const fs::path path = segment_path(root, segment);
  fs::create_directories(path.parent_path());
  write_file_atomic(path, data);

  std::lock_guard lock(mutex_);
  Transaction step(*db_);
  // The Submit event may have arrived while the file was written.
  const std::vector<TxRow> txs = select_txs(*db_, root);
  insert_segment(*db_, root, segment, proof, file_size, data.size(), txs.empty() ? now_s() : 0);
  for (const TxRow& row : txs) refresh_finality(row.submission);
  step.commit();
  return PutResult::kStored;
}

std::optional<Store::Segment> Store::read(const Submission& submission, uint64_t segment) {
  Segment out;
  {
    std::lock_guard lock(mutex_);
    Query q = db_->query("SELECT proof FROM segments WHERE root = ? AND idx = ?");
    if (!q.bind(submission.root.bytes).bind(segment).step()) return std::nullopt;
    out.proof = unpack_proof(q.bytes(0));
  }
  const FileShape shape = file_shape(submission.size);
  try {
    out.data = read_file(segment_path(submission.root, segment), kSegmentBytes);
    // Two files of one root may differ in length: only by zeros at the end.
    out.data.resize(shape.segment_bytes(segment));
    if (segment_root(shape, segment, out.data) == out.proof.lemma.front()) return out;
    log::warn("storage node: segment {} of {} is damaged on disk", segment,
              to_hex0x(submission.root.bytes));
  } catch (const Error& e) {
    log::warn("storage node: {}", e.what());
  }
  forget_segment(submission.root, segment);
  return std::nullopt;
}

void Store::forget_segment(const H256& root, uint64_t segment) {
  std::lock_guard lock(mutex_);
  Transaction step(*db_);
  db_->query("DELETE FROM segments WHERE root = ? AND idx = ?")
      .bind(root.bytes)
      .bind(segment)
      .run();
  refresh_root(root);
  step.commit();
}

// Cached segments of this file are now paid for; those cached for another size of the root and
// those of other shards are not needed.
void Store::claim_cached(const Submission& s) {
  db_->query(
         "DELETE FROM segments WHERE root = ? AND cached_at > 0"
         " AND (file_size <> ? OR (idx + ?) % ? <> ?)")
      .bind(s.root.bytes)
      .bind(s.size)
      .bind(s.start_entry / kSegmentChunks)
      .bind(options_.num_shard)
      .bind(options_.shard_id)
      .run();
  db_->query("UPDATE segments SET cached_at = 0 WHERE root = ?").bind(s.root.bytes).run();
}

void Store::expire_cached() {
  const uint64_t now = now_s();
  const auto ttl = static_cast<uint64_t>(std::max(options_.cache_ttl_s, 0));
  const uint64_t before = now > ttl ? now - ttl : 0;
  std::vector<fs::path> files;
  {
    Query q = db_->query("SELECT root, idx FROM segments WHERE cached_at > 0 AND cached_at < ?");
    q.bind(before);
    while (q.step()) files.push_back(segment_path(q.fixed<32>(0), q.number(1)));
  }
  if (files.empty()) return;
  db_->query("DELETE FROM segments WHERE cached_at > 0 AND cached_at < ?").bind(before).run();
  std::error_code ec;
  for (const fs::path& file : files) fs::remove(file, ec);
}

}  // namespace ffe::storage
