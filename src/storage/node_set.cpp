#include "storage/node_set.hpp"

#include "base/hex.hpp"
#include "base/log.hpp"
#include "storage/parallel.hpp"

namespace ffe::storage {
namespace {

constexpr unsigned kReachThreads = 8;
constexpr unsigned kReachAttempts = 3;

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

std::vector<std::shared_ptr<NodeClient>> find_nodes(const ClientOptions& options,
                                                    std::shared_ptr<net::HttpClient> http,
                                                    const std::optional<H256>& root) {
  std::vector<std::string> urls = options.nodes;
  if (urls.empty() && options.indexer_url.empty()) {
    throw Error(ErrorCode::kUsage, "no storage nodes are known",
                "name nodes or an indexer, or a network: devnet, galileo, aristotle");
  }
  if (urls.empty()) urls = indexer_nodes(options.indexer_url, options, http, root);
  if (urls.empty()) {
    throw Error(ErrorCode::kNetwork, "the indexer " + options.indexer_url + " lists no nodes",
                "try again later, or name nodes");
  }
  std::vector<std::shared_ptr<NodeClient>> nodes;
  for (const std::string& url : urls) {
    nodes.push_back(std::make_shared<NodeClient>(url, options, http));
  }
  return nodes;
}

std::vector<Peer> reach(const std::vector<std::shared_ptr<NodeClient>>& nodes,
                        const ClientOptions& options) {
  std::vector<std::optional<Peer>> reached(nodes.size());
  std::vector<std::string> problems(nodes.size());
  std::atomic<size_t> next{0};
  const auto threads = static_cast<unsigned>(std::min<size_t>(kReachThreads, nodes.size()));
  run_parallel(threads, [&](const std::atomic<bool>& stop) {
    for (size_t i; !stop && (i = next++) < nodes.size();) {
      try {
        reached[i] = with_retries(kReachAttempts, [&] {
          return Peer{nodes[i], nodes[i]->shard(), nodes[i]->status()};
        });
      } catch (const Error& e) {
        problems[i] = e.what();
        log::debug("storage: {}", e.what());
        continue;
      }
      const Address& flow = reached[i]->status.flow;
      if (!options.flow || flow == *options.flow) continue;
      problems[i] = nodes[i]->url() + " follows the Flow contract " + to_hex0x(flow.bytes) +
                    ", not this network's";
      reached[i].reset();
    }
  });
  std::vector<Peer> peers;
  for (auto& peer : reached) {
    if (peer) peers.push_back(std::move(*peer));
  }
  if (peers.empty()) {
    throw Error(ErrorCode::kNetwork, "no storage node can be used: " + problems.front(),
                "check the network connection and the nodes' addresses");
  }
  return peers;
}

std::vector<Peer> choose(const std::vector<Peer>& peers, unsigned replicas,
                         const std::vector<std::string>& excluded) {
  std::vector<ShardedNode> candidates;
  for (const Peer& peer : peers) {
    if (!contains(excluded, peer.node->url())) {
      candidates.push_back({peer.node->url(), peer.shard});
    }
  }
  const std::vector<ShardedNode> chosen = select_nodes(candidates, replicas);
  if (chosen.empty()) {
    throw Error(ErrorCode::kNetwork,
                "the " + std::to_string(candidates.size()) +
                    " storage nodes that answer do not hold every shard " +
                    std::to_string(replicas) + " times",
                "name more nodes, or ask for fewer replicas");
  }
  std::vector<Peer> out;
  for (const ShardedNode& node : chosen) {
    const auto peer = std::find_if(peers.begin(), peers.end(),
                                   [&](const Peer& p) { return p.node->url() == node.url; });
    if (!out.empty() && peer->status.flow != out.front().status.flow) {
      throw Error(ErrorCode::kNetwork,
                  out.front().node->url() + " and " + node.url + " follow different Flow contracts",
                  "name nodes of one network");
    }
    out.push_back(*peer);
  }
  return out;
}

}  // namespace ffe::storage
