// One upload: pay if nobody did, wait for the nodes to see it, send what they lack.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evm/sender.hpp"
#include "storage/client.hpp"
#include "storage/flow.hpp"
#include "storage/node_set.hpp"

namespace ffe::storage {

class Uploader {
 public:
  Uploader(const ClientOptions& options, std::shared_ptr<net::HttpClient> http,
           const Source& source, evm::Sender& sender, const UploadEvents& events)
      : options_(options),
        http_(std::move(http)),
        source_(source),
        sender_(sender),
        events_(events) {}

  UploadResult run();

 private:
  struct Task {
    const Peer* peer;
    std::vector<uint64_t> segments;
  };
  class SendFailed;

  void check_chain(const std::vector<Peer>& peers);
  bool find_paid(const std::vector<Peer>& peers);
  void pay(const Address& flow);
  void store(const std::vector<Peer>& peers);
  FileInfo wait_for_entry(const Peer& peer);
  void send_ahead(const Peer& peer);
  void add_tasks(const Peer& peer, const FileInfo& info, std::vector<Task>& tasks);
  void send_all(const std::vector<Task>& tasks);
  void send(const Task& task);
  void wait_for_finality(const std::vector<Peer>& peers);
  WireSegment segment(uint64_t index) const;
  void advance(uint64_t bytes);

  const ClientOptions& options_;
  std::shared_ptr<net::HttpClient> http_;
  const Source& source_;
  evm::Sender& sender_;
  const UploadEvents& events_;
  std::optional<FileTree> tree_;
  std::optional<uint64_t> tx_seq_;
  H256 tx_hash_;
  evm::U256 fee_;
  std::mutex progress_mutex_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace ffe::storage
