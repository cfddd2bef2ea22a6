#include "storage/indexer_service.hpp"

#include <chrono>

#include "base/hex.hpp"
#include "base/log.hpp"
#include "net/json_rpc.hpp"
#include "storage/wire.hpp"

namespace ffe::storage {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kServerError = -32000;
constexpr int kPeerTimeoutMs = 2'000;

}  // namespace

IndexerService::IndexerService(Store& store, const NodeOptions& options,
                               std::function<std::string()> url)
    : store_(store),
      shard_{options.shard_id, options.num_shard},
      url_(std::move(url)),
      peers_(options.peers),
      since_(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                       std::chrono::system_clock::now().time_since_epoch())
                                       .count())),
      http_(std::make_shared<net::HttpClient>()) {}

void IndexerService::attach(net::JsonRpcServer& rpc) {
  rpc.on("indexer_getShardedNodes", [this](const Json&) { return sharded_nodes(); });
  rpc.on("indexer_getSelectedNodes", [this](const Json& p) { return selected_nodes(p); });
  rpc.on("indexer_getFileLocations", [this](const Json& p) { return file_locations(p); });
  rpc.on("indexer_getNodeLocations", [](const Json&) { return Json::object(); });
}

Json IndexerService::ask(const std::string& url, std::string_view method, Json params) {
  net::JsonRpcOptions options;
  options.connect_timeout_ms = kPeerTimeoutMs;
  options.timeout_ms = kPeerTimeoutMs;
  options.max_body = size_t{1} << 20;
  options.http = http_;
  return net::JsonRpcClient(url, options).call(method, std::move(params));
}

std::vector<IndexerService::Known> IndexerService::nodes() {
  std::vector<Known> out{{{url_(), shard_}, 0}};
  for (const std::string& peer : peers_) {
    try {
      const auto start = Clock::now();
      const Shard shard =
          shard_from_json(ask(peer, "zgs_getShardConfig", Json::array()), "zgs_getShardConfig");
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
      out.push_back({{peer, shard}, static_cast<int>(took.count())});
    } catch (const Error& e) {
      log::info("indexer: {} is left out: {}", peer, e.what());
    }
  }
  return out;
}

std::vector<IndexerService::Known> IndexerService::holders(const H256& root, bool& known) {
  const std::string self = url_();
  std::vector<Known> out;
  for (Known& node : nodes()) {
    bool finalized = false;
    if (node.node.url == self) {
      const auto tx = store_.tx_of_root(root);
      known = known || tx;
      finalized = tx && tx->finalized;
    } else {
      try {
        const Json info =
            ask(node.node.url, "zgs_getFileInfo", Json::array({to_hex0x(root.bytes), true}));
        known = known || !info.is_null();
        finalized = !info.is_null() && file_info_from_json(info, root, "zgs_getFileInfo").finalized;
      } catch (const Error& e) {
        log::info("indexer: {} is left out: {}", node.node.url, e.what());
      }
    }
    if (finalized) out.push_back(std::move(node));
  }
  return out;
}

Json IndexerService::describe(const std::vector<Known>& nodes) const {
  Json out = Json::array();
  for (const Known& known : nodes) {
    out.push_back({{"url", known.node.url},
                   {"config", to_json(known.node.shard)},
                   {"latency", known.latency_ms},
                   {"since", since_}});
  }
  return out;
}

Json IndexerService::sharded_nodes() {
  return {{"trusted", describe(nodes())}, {"discovered", nullptr}};
}

// [expectedReplica, method, fullTrusted, dropped]: every node here is trusted, and with so few of
// them each method chooses as "min" does.
Json IndexerService::selected_nodes(const Json& params) {
  if (params.empty() || !params[0].is_number_unsigned()) {
    throw net::RpcFault(net::kRpcInvalidParams, "Invalid params: expectedReplica");
  }
  std::vector<std::string> dropped;
  if (params.size() > 3 && params[3].is_array()) {
    for (const Json& url : params[3]) {
      if (url.is_string()) dropped.push_back(url.get<std::string>());
    }
  }
  std::vector<Known> candidates = nodes();
  std::erase_if(candidates, [&](const Known& known) {
    return std::find(dropped.begin(), dropped.end(), known.node.url) != dropped.end();
  });
  std::vector<ShardedNode> plain;
  for (const Known& known : candidates) plain.push_back(known.node);
  const auto replicas = static_cast<unsigned>(std::min<uint64_t>(params[0].get<uint64_t>(), 1000));
  const std::vector<ShardedNode> chosen = select_nodes(plain, replicas);
  if (chosen.empty()) {
    throw net::RpcFault(kServerError,
                        "cannot select a subset from the returned nodes that meets the replication "
                        "requirement");
  }
  std::erase_if(candidates, [&](const Known& known) {
    return std::none_of(chosen.begin(), chosen.end(),
                        [&](const ShardedNode& node) { return node.url == known.node.url; });
  });
  return {{"trusted", describe(candidates)}, {"discovered", nullptr}};
}

Json IndexerService::file_locations(const Json& params) {
  if (params.empty()) throw net::RpcFault(net::kRpcInvalidParams, "Invalid params: root");
  const H256 root = hash_from_json(params[0], "root");
  bool known = false;
  const std::vector<Known> found = holders(root, known);
  if (!known) throw net::RpcFault(kServerError, "file not found");
  std::vector<Shard> shards;
  for (const Known& holder : found) shards.push_back(holder.node.shard);
  return coverage(shards) > 0 ? describe(found) : Json(nullptr);
}

}  // namespace ffe::storage
