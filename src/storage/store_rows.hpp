// Rows of the store's tables.
#pragma once

#include <optional>
#include <vector>

#include "storage/flow.hpp"
#include "storage/sqlite.hpp"

namespace ffe::storage {

struct TxRow {
  Submission submission;
  bool finalized = false;
};

void insert_tx(Database& db, const Submission& submission);
std::optional<TxRow> select_tx(Database& db, uint64_t seq);
// The first finalized one, else the first.
std::optional<TxRow> select_tx(Database& db, const H256& root);
std::vector<TxRow> select_txs(Database& db, const H256& root);

// Replaces a row of the same root and index. `cached_at` 0: its transaction is known.
void insert_segment(Database& db, const H256& root, uint64_t segment, const SegmentProof& proof,
                    uint64_t file_size, uint64_t bytes, uint64_t cached_at);

// levels u8 ‖ path, one byte a level ‖ lemma, 32 bytes a hash.
Bytes pack_proof(const SegmentProof& proof);
SegmentProof unpack_proof(ByteView packed);

}  // namespace ffe::storage
