#include "storage/store_rows.hpp"

namespace ffe::storage {
namespace {

constexpr size_t kNodeBytes = 33;  // height ‖ root

Bytes pack_nodes(const std::vector<SubmissionNode>& nodes) {
  Bytes out;
  for (const SubmissionNode& node : nodes) {
    out.push_back(static_cast<uint8_t>(node.height));
    append(out, node.root.bytes);
  }
  return out;
}

std::vector<SubmissionNode> unpack_nodes(ByteView packed) {
  std::vector<SubmissionNode> nodes;
  for (; packed.size() >= kNodeBytes; packed = packed.subspan(kNodeBytes)) {
    nodes.push_back({H256::from(packed.subspan(1, 32)), packed[0]});
  }
  return nodes;
}

TxRow read_row(const Query& q) {
  TxRow row;
  Submission& s = row.submission;
  s.tx_seq = q.number(0);
  s.root = q.fixed<32>(1);
  s.size = q.number(2);
  s.start_entry = q.number(3);
  s.nodes = unpack_nodes(q.bytes(4));
  s.tags = q.bytes(5);
  s.submitter = q.fixed<20>(6);
  s.block_number = q.number(7);
  s.block_hash = q.fixed<32>(8);
  s.tx_hash = q.fixed<32>(9);
  row.finalized = q.number(10) != 0;
  return row;
}

}  // namespace

void insert_tx(Database& db, const Submission& s) {
  db.query("INSERT OR REPLACE INTO txs VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)")
      .bind(s.tx_seq)
      .bind(s.root.bytes)
      .bind(s.size)
      .bind(s.start_entry)
      .bind(pack_nodes(s.nodes))
      .bind(s.tags)
      .bind(s.submitter.bytes)
      .bind(s.block_number)
      .bind(s.block_hash.bytes)
      .bind(s.tx_hash.bytes)
      .run();
}

std::optional<TxRow> select_tx(Database& db, uint64_t seq) {
  Query q = db.query("SELECT * FROM txs WHERE seq = ?");
  if (!q.bind(seq).step()) return std::nullopt;
  return read_row(q);
}

std::optional<TxRow> select_tx(Database& db, const H256& root) {
  Query q = db.query("SELECT * FROM txs WHERE root = ? ORDER BY finalized DESC, seq LIMIT 1");
  if (!q.bind(root.bytes).step()) return std::nullopt;
  return read_row(q);
}

std::vector<TxRow> select_txs(Database& db, const H256& root) {
  Query q = db.query("SELECT * FROM txs WHERE root = ? ORDER BY seq");
  q.bind(root.bytes);
  std::vector<TxRow> rows;
  while (q.step()) rows.push_back(read_row(q));
  return rows;
}

void insert_segment(Database& db, const H256& root, uint64_t segment, const SegmentProof& proof,
                    uint64_t file_size, uint64_t bytes, uint64_t cached_at) {
  db.query("INSERT OR REPLACE INTO segments VALUES(?, ?, ?, ?, ?, ?)")
      .bind(root.bytes)
      .bind(segment)
      .bind(pack_proof(proof))
      .bind(file_size)
      .bind(bytes)
      .bind(cached_at)
      .run();
}

Bytes pack_proof(const SegmentProof& proof) {
  Bytes out{static_cast<uint8_t>(proof.path.size())};
  for (bool left : proof.path) out.push_back(left ? 1 : 0);
  for (const H256& hash : proof.lemma) append(out, hash.bytes);
  return out;
}

SegmentProof unpack_proof(ByteView packed) {
  if (packed.empty() || packed.size() < 1u + packed[0] ||
      (packed.size() - 1 - packed[0]) % 32 != 0 || packed.size() < 1u + packed[0] + 32) {
    throw Error(ErrorCode::kCorrupt, "a stored proof is damaged",
                "remove the node's folder; clients upload again what is missing");
  }
  SegmentProof proof;
  for (size_t i = 0; i < packed[0]; ++i) proof.path.push_back(packed[1 + i] != 0);
  for (packed = packed.subspan(1 + packed[0]); !packed.empty(); packed = packed.subspan(32)) {
    proof.lemma.push_back(H256::from(packed.first(32)));
  }
  return proof;
}

}  // namespace ffe::storage
