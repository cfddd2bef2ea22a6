// The indexer_ methods for a handful of nodes: this one and the peers it was told of.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/http_client.hpp"
#include "net/json_rpc_server.hpp"
#include "storage/node.hpp"
#include "storage/shards.hpp"
#include "storage/store.hpp"

namespace ffe::storage {

class IndexerService {
 public:
  // `store` must outlive the service; `url` says what clients call this node.
  IndexerService(Store& store, const NodeOptions& options, std::function<std::string()> url);

  void attach(net::JsonRpcServer& rpc);

 private:
  struct Known {
    ShardedNode node;
    int latency_ms = 0;
  };
  std::vector<Known> nodes();
  // Those of nodes() that hold the file; `known` is set if one knows the root at all.
  std::vector<Known> holders(const H256& root, bool& known);
  Json ask(const std::string& url, std::string_view method, Json params);
  Json describe(const std::vector<Known>& nodes) const;
  Json sharded_nodes();
  Json selected_nodes(const Json& params);
  Json file_locations(const Json& params);

  Store& store_;
  Shard shard_;
  std::function<std::string()> url_;
  std::vector<std::string> peers_;
  uint64_t since_;
  std::shared_ptr<net::HttpClient> http_;
};

}  // namespace ffe::storage
