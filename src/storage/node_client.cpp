#include "storage/node_client.hpp"

#include "base/hex.hpp"

namespace ffe::storage {
namespace {

constexpr size_t kMaxAnswer = size_t{4} << 20;
constexpr size_t kMaxNodes = 10'000;  // in an indexer's list

net::JsonRpcOptions rpc_options(const ClientOptions& options, std::shared_ptr<net::HttpClient> http,
                                int timeout_ms) {
  net::JsonRpcOptions rpc;
  rpc.connect_timeout_ms = options.connect_timeout_ms;
  rpc.timeout_ms = timeout_ms > 0 ? timeout_ms : options.request_timeout_ms;
  rpc.max_body = kMaxAnswer;
  rpc.http = std::move(http);
  return rpc;
}

// Official nodes put the words that clients look for into the message or into the data.
bool says(const net::JsonRpcError& error, std::string_view words) {
  const std::string data = error.data.is_string() ? error.data.get<std::string>() : std::string();
  return error.rpc_message.find(words) != std::string::npos ||
         data.find(words) != std::string::npos;
}

void add_nodes(const Json& list, std::vector<std::string>& urls) {
  if (list.is_null()) return;
  if (!list.is_array() || list.size() > kMaxNodes) {
    throw Error(ErrorCode::kBadInput, "indexer: the list of nodes is not an array");
  }
  for (const Json& node : list) {
    std::string url = json_string(node, "url", "indexer: node");
    if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(std::move(url));
  }
}

}  // namespace

NodeClient::NodeClient(std::string url, const ClientOptions& options,
                       std::shared_ptr<net::HttpClient> http)
    : url_(std::move(url)), options_(options), http_(std::move(http)) {}

Json NodeClient::call(std::string_view method, Json params, int timeout_ms) {
  return net::JsonRpcClient(url_, rpc_options(options_, http_, timeout_ms))
      .call(method, std::move(params));
}

Json NodeClient::ask(std::string_view method, Json params) {
  return call(method, std::move(params),
              std::min(options_.request_timeout_ms, std::max(options_.slow_ms, 1'000)));
}

NodeClient::Status NodeClient::status() {
  const std::string what = url_ + ": zgs_getStatus";
  const Json identity = json_member(ask("zgs_getStatus", Json::array()), "networkIdentity", what);
  const std::string flow = json_string(identity, "flowAddress", what);
  return {json_uint(identity, "chainId", what), address_from_hex(flow)};
}

Shard NodeClient::shard() {
  return shard_from_json(ask("zgs_getShardConfig", Json::array()), url_ + ": zgs_getShardConfig");
}

std::optional<FileInfo> NodeClient::file_info(const H256& root) {
  const Json info = ask("zgs_getFileInfo", Json::array({to_hex0x(root.bytes), true}));
  if (info.is_null()) return std::nullopt;
  return file_info_from_json(info, root, url_ + ": zgs_getFileInfo");
}

std::optional<FileInfo> NodeClient::file_info(uint64_t tx_seq, const H256& root) {
  const Json info = ask("zgs_getFileInfoByTxSeq", Json::array({tx_seq}));
  if (info.is_null()) return std::nullopt;
  FileInfo out = file_info_from_json(info, root, url_ + ": zgs_getFileInfoByTxSeq");
  if (out.tx_seq != tx_seq) {
    throw Error(ErrorCode::kBadInput, url_ + ": zgs_getFileInfoByTxSeq: another transaction");
  }
  return out;
}

bool NodeClient::has_segment(uint64_t tx_seq, uint64_t segment) {
  const uint64_t chunk = segment * kSegmentChunks;
  return !ask("zgs_downloadSegmentByTxSeq", Json::array({tx_seq, chunk, chunk + 1})).is_null();
}

NodeClient::Upload NodeClient::upload(const std::vector<WireSegment>& segments,
                                      std::optional<uint64_t> tx_seq) {
  Json list = Json::array();
  for (const WireSegment& segment : segments) list.push_back(to_json(segment));
  Json params = Json::array({std::move(list)});
  if (tx_seq) params.push_back(*tx_seq);
  try {
    call(tx_seq ? "zgs_uploadSegmentsByTxSeq" : "zgs_uploadSegments", std::move(params),
         options_.request_timeout_ms);
    return Upload::kDone;
  } catch (const net::JsonRpcError& e) {
    if (says(e, "already uploaded and finalized")) return Upload::kFinalized;
    if (says(e, "segment has already been uploaded or is being uploaded")) return Upload::kDone;
    if (says(e, "too many data writing")) return Upload::kBusy;
    throw;
  }
}

std::optional<WireSegment> NodeClient::download(uint64_t tx_seq, uint64_t segment, int timeout_ms) {
  const Json answer =
      call("zgs_downloadSegmentWithProofByTxSeq", Json::array({tx_seq, segment}), timeout_ms);
  if (answer.is_null()) return std::nullopt;
  return segment_from_json(answer, url_ + ": segment " + std::to_string(segment));
}

std::vector<std::string> indexer_nodes(const std::string& url, const ClientOptions& options,
                                       std::shared_ptr<net::HttpClient> http,
                                       const std::optional<H256>& root) {
  net::JsonRpcClient indexer(url, rpc_options(options, std::move(http), 0));
  std::vector<std::string> urls;
  if (root) {
    try {
      add_nodes(indexer.call("indexer_getFileLocations", Json::array({to_hex0x(root->bytes)})),
                urls);
    } catch (const net::JsonRpcError&) {
      // "file not found" also means: not finalized everywhere. The nodes themselves may know it.
    }
    if (!urls.empty()) return urls;
  }
  const Json lists = indexer.call("indexer_getShardedNodes");
  for (const char* member : {"trusted", "discovered"}) {
    if (lists.is_object() && lists.contains(member)) add_nodes(lists[member], urls);
  }
  return urls;
}

}  // namespace ffe::storage
