// The nodes a client works with: found, reached, chosen.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/node_client.hpp"

namespace ffe::storage {

struct Peer {
  std::shared_ptr<NodeClient> node;
  Shard shard;
  NodeClient::Status status;
};

// Nodes of the list and, if there is none (or for a root), the indexer's. Throws Error{kNetwork} if
// nobody names any.
std::vector<std::shared_ptr<NodeClient>> find_nodes(const ClientOptions& options,
                                                    std::shared_ptr<net::HttpClient> http,
                                                    const std::optional<H256>& root = std::nullopt);

// Those that answer and follow the Flow contract that `options` names, if it does, with shard and
// status. Throws Error{kNetwork} with a reason if there are none.
std::vector<Peer> reach(const std::vector<std::shared_ptr<NodeClient>>& nodes,
                        const ClientOptions& options);

// The peers needed to hold everything `replicas` times, without those whose URL is in `excluded`.
// All name the same Flow contract. Throws Error{kNetwork} if they do not suffice.
std::vector<Peer> choose(const std::vector<Peer>& peers, unsigned replicas,
                         const std::vector<std::string>& excluded);

}  // namespace ffe::storage
