#include "storage/zgs_service.hpp"

#include <map>

#include "base/hex.hpp"
#include "storage/shards.hpp"

namespace ffe::storage {
namespace {

using net::RpcFault;

constexpr int kServerError = -32000;
constexpr std::string_view kDuplicate = "segment has already been uploaded or is being uploaded";

RpcFault invalid(std::string_view field, const std::string& detail) {
  return RpcFault(net::kRpcInvalidParams, "Invalid params: " + std::string(field), detail);
}
RpcFault internal(const std::string& detail) {
  return RpcFault(net::kRpcInternalError, "Internal error", detail);
}
RpcFault server_error(const std::string& message) {
  return RpcFault(kServerError, message);
}

const Json& param(const Json& params, size_t at, std::string_view name) {
  if (!params.is_array() || at >= params.size()) throw invalid(name, "missing");
  return params[at];
}

uint64_t number_param(const Json& params, size_t at, std::string_view name) {
  const Json& v = param(params, at, name);
  if (!v.is_number_unsigned()) throw invalid(name, "not a whole number");
  return v.get<uint64_t>();
}

H256 hash_param(const Json& params, size_t at, std::string_view name) {
  try {
    return hash_from_json(param(params, at, name), name);
  } catch (const Error& e) {
    throw invalid(name, e.what());
  }
}

WireSegment segment_param(const Json& json) {
  // Clients know these two by their words, so they come before anything is decoded.
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (json.is_object() && data != json.end() && data->is_string() &&
      data->get_ref<const std::string&>().empty()) {
    throw server_error("data is empty");
  }
  WireSegment segment;
  try {
    segment = segment_from_json(json, "segment");
  } catch (const Error& e) {
    throw invalid("segment", e.what());
  }
  if (segment.data.size() % kChunkBytes != 0) throw server_error("invalid data length");
  return segment;
}

}  // namespace

void ZgsService::attach(net::JsonRpcServer& rpc) {
  const Shard shard{options_.shard_id, options_.num_shard};
  rpc.on("zgs_getStatus", [this](const Json&) { return status(); });
  rpc.on("zgs_getShardConfig", [shard](const Json&) { return to_json(shard); });
  rpc.on("zgs_getFileInfo", [this](const Json& p) { return file_info(p); });
  rpc.on("zgs_getFileInfoByTxSeq", [this](const Json& p) { return file_info_by_seq(p); });
  rpc.on("zgs_checkFileFinalized", [this](const Json& p) { return check_finalized(p); });
  rpc.on("zgs_uploadSegment", [this](const Json& p) { return upload(p, false, false); });
  rpc.on("zgs_uploadSegments", [this](const Json& p) { return upload(p, true, false); });
  rpc.on("zgs_uploadSegmentByTxSeq", [this](const Json& p) { return upload(p, false, true); });
  rpc.on("zgs_uploadSegmentsByTxSeq", [this](const Json& p) { return upload(p, true, true); });
  rpc.on("zgs_downloadSegment", [this](const Json& p) { return download(p, false); });
  rpc.on("zgs_downloadSegmentByTxSeq", [this](const Json& p) { return download(p, true); });
  rpc.on("zgs_downloadSegmentWithProof",
         [this](const Json& p) { return download_with_proof(p, false); });
  rpc.on("zgs_downloadSegmentWithProofByTxSeq",
         [this](const Json& p) { return download_with_proof(p, true); });
}

Json ZgsService::status() {
  const BlockMark block = store_.cursor().value_or(BlockMark{});
  return {{"connectedPeers", 0},
          {"logSyncHeight", block.number},
          {"logSyncBlock", to_hex0x(block.hash.bytes)},
          {"nextTxSeq", store_.next_tx_seq()},
          {"networkIdentity",
           {{"chainId", store_.chain_id()},
            {"flowAddress", to_hex0x(options_.flow_address.bytes)},
            {"p2pProtocolVersion", {{"major", 0}, {"minor", 4}, {"build", 0}}}}}};
}

std::optional<StoredTx> ZgsService::find_tx(const Json& params, size_t at, bool by_seq) {
  return by_seq ? store_.tx(number_param(params, at, "tx_seq"))
                : store_.tx_of_root(hash_param(params, at, "root"));
}

Json ZgsService::file_info(const Json& params) {
  const Json& available = param(params, 1, "need_available");
  if (!available.is_boolean()) throw invalid("need_available", "not a boolean");
  // Nothing is ever pruned here, so both kinds of question have the same answer.
  const auto tx = find_tx(params, 0, false);
  return tx ? file_info_json(*tx) : Json(nullptr);
}

Json ZgsService::file_info_by_seq(const Json& params) {
  const auto tx = find_tx(params, 0, true);
  return tx ? file_info_json(*tx) : Json(nullptr);
}

Json ZgsService::check_finalized(const Json& params) {
  const auto tx = find_tx(params, 0, param(params, 0, "tx_seq_or_root").is_number());
  return tx ? Json(tx->finalized) : Json(nullptr);
}

// --- upload

Json ZgsService::upload(const Json& params, bool several, bool by_seq) {
  std::vector<WireSegment> segments;
  const Json& first = param(params, 0, several ? "segments" : "segment");
  if (several) {
    if (!first.is_array()) throw invalid("segments", "not an array");
    for (const Json& json : first) segments.push_back(segment_param(json));
  } else {
    segments.push_back(segment_param(first));
  }
  // As it was before this call: a call may bring the last segment and then one more.
  std::map<H256, std::optional<StoredTx>> txs;
  for (const WireSegment& segment : segments) {
    if (!txs.contains(segment.root)) {
      txs[segment.root] = by_seq ? find_tx(params, 1, true) : store_.tx_of_root(segment.root);
    }
    try {
      put(segment, txs[segment.root]);
    } catch (const RpcFault& fault) {
      if (!(several && by_seq && fault.what() == kDuplicate)) throw;
    }
  }
  return nullptr;
}

void ZgsService::check_tx(const WireSegment& segment, const std::optional<StoredTx>& tx) {
  if (!tx) {
    if (segment.file_size > options_.max_cache_file_bytes) {
      throw invalid("file_size", "caching of large file when tx is unavailable is not supported");
    }
    return;
  }
  if (tx->submission.root != segment.root) throw internal("data root and tx seq not match");
  if (tx->submission.size != segment.file_size) {
    throw invalid("file_size", "segment file size not matched with tx file size");
  }
  if (tx->finalized) throw invalid("root", "already uploaded and finalized");
}

void ZgsService::check_segment(const WireSegment& segment) {
  if (segment.file_size == 0) throw invalid("file_size", "file is empty");
  if (segment.file_size > kMaxFileBytes) throw invalid("file_size", "file is too large");
  const FileShape shape = file_shape(segment.file_size);
  if (segment.index >= shape.segments) throw invalid("index", "index out of bound");
  if (segment.data.size() != shape.segment_bytes(segment.index)) {
    throw invalid("data", "invalid data length");
  }
  const H256 root = segment_root(shape, segment.index, segment.data);
  const ProofCheck check = check_proof(shape, segment.root, segment.index, root, segment.proof);
  if (check == ProofCheck::kWrongPosition || check == ProofCheck::kWrongRoot) {
    throw server_error(std::string(proof_check_text(check)) + ": segment " +
                       std::to_string(segment.index));
  }
  if (check != ProofCheck::kOk) throw invalid("proof", std::string(proof_check_text(check)));
}

void ZgsService::put(const WireSegment& segment, const std::optional<StoredTx>& tx) {
  check_tx(segment, tx);
  check_segment(segment);
  // Clients that do not know the shards send everything to everyone.
  if (tx && !store_.is_mine(tx->submission, segment.index)) return;

  struct Slot {
    std::atomic<unsigned>& count;
    const unsigned before = count++;
    ~Slot() { --count; }
  } slot{writing_};
  if (slot.before >= options_.max_writings) {
    throw server_error("too many data writing: " + std::to_string(options_.max_writings));
  }
  switch (store_.put(segment.root, segment.file_size, segment.index, segment.data, segment.proof,
                     tx.has_value())) {
    case PutResult::kStored:
      return;
    case PutResult::kDuplicate:
      throw server_error(std::string(kDuplicate));
    case PutResult::kCacheFull:
      throw server_error("too many data writing: the cache for unknown files is full");
  }
}

// --- download

Json ZgsService::download(const Json& params, bool by_seq) {
  const uint64_t start = number_param(params, 1, "start_index");
  const uint64_t end = number_param(params, 2, "end_index");
  if (start >= end) throw invalid("end_index", "invalid chunk index");
  if (end - start > kSegmentChunks) throw invalid("end_index", "exceeds maximum chunks 1024");
  const auto tx = find_tx(params, 0, by_seq);
  if (!tx) return nullptr;
  const uint64_t chunks = file_shape(tx->submission.size).chunks;
  if (end > chunks) {
    throw server_error("end entry index exceeds tx size: " + std::to_string(end) + " of " +
                       std::to_string(chunks));
  }
  Bytes data;
  for (uint64_t segment = start / kSegmentChunks; segment * kSegmentChunks < end; ++segment) {
    const auto stored = store_.read(tx->submission, segment);
    if (!stored) return nullptr;
    const uint64_t first = segment * kSegmentChunks;
    const uint64_t from = std::max(start, first) - first;
    const uint64_t to = std::min(end - first, kSegmentChunks);
    append(data, ByteView(stored->data).subspan(from * kChunkBytes, (to - from) * kChunkBytes));
  }
  faults_.maybe_corrupt(data);
  return to_base64(data);
}

Json ZgsService::download_with_proof(const Json& params, bool by_seq) {
  const uint64_t index = number_param(params, 1, "index");
  const auto tx = find_tx(params, 0, by_seq);
  if (!tx) return nullptr;
  const Submission& s = tx->submission;
  if (index >= file_shape(s.size).segments) throw invalid("index", "index out of bound");
  auto stored = store_.read(s, index);
  if (!stored) return nullptr;
  faults_.maybe_corrupt(stored->data);
  return to_json(
      WireSegment{s.root, std::move(stored->data), index, std::move(stored->proof), s.size});
}

}  // namespace ffe::storage
