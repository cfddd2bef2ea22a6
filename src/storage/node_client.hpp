// One storage node as a client sees it: every answer checked, failures told apart.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/json_rpc.hpp"
#include "storage/client.hpp"
#include "storage/shards.hpp"
#include "storage/wire.hpp"

namespace ffe::storage {

// Thread-safe. Each call is sent once; errors are kNetwork (no answer, or an error of the node) or
// kBadInput (an answer that breaks its format), both naming the node.
class NodeClient {
 public:
  NodeClient(std::string url, const ClientOptions& options, std::shared_ptr<net::HttpClient> http);

  const std::string& url() const { return url_; }

  struct Status {
    uint64_t chain_id = 0;  // 0: the node does not know its chain yet
    Address flow;
  };
  Status status();
  Shard shard();
  std::optional<FileInfo> file_info(const H256& root);
  std::optional<FileInfo> file_info(uint64_t tx_seq, const H256& root);
  // Whether the node has the first chunk of a segment.
  bool has_segment(uint64_t tx_seq, uint64_t segment);

  enum class Upload { kDone, kFinalized, kBusy };
  // kFinalized: the node has the whole file; kBusy: it asks to come again later. Without `tx_seq`
  // they go by root: the node may not know the transaction yet.
  Upload upload(const std::vector<WireSegment>& segments, std::optional<uint64_t> tx_seq);

  // Nothing: not there. The proof is not checked here. A positive `timeout_ms` is the most it
  // takes.
  std::optional<WireSegment> download(uint64_t tx_seq, uint64_t segment, int timeout_ms = 0);

 private:
  Json call(std::string_view method, Json params, int timeout_ms);
  // A question with a short answer: given less time than a transfer.
  Json ask(std::string_view method, Json params);

  std::string url_;
  const ClientOptions& options_;
  std::shared_ptr<net::HttpClient> http_;
};

// The nodes an indexer lists; `root`: those that hold the file. Throws Error{kNetwork, kBadInput}.
std::vector<std::string> indexer_nodes(const std::string& url, const ClientOptions& options,
                                       std::shared_ptr<net::HttpClient> http,
                                       const std::optional<H256>& root = std::nullopt);

}  // namespace ffe::storage
