#include "storage/uploader.hpp"

#include "base/hex.hpp"
#include "base/log.hpp"
#include "storage/parallel.hpp"

namespace ffe::storage {
namespace {

constexpr unsigned kNodeChanges = 3;    // nodes that may fail before an upload gives up
constexpr unsigned kBusyAttempts = 30;  // "too many data writing" is normal on the network
// How far back an own payment is looked for that the nodes do not know of yet.
constexpr uint64_t kRecentBlocks = 999;

}  // namespace

// A node failed for good; another may do.
class Uploader::SendFailed : public Error {
 public:
  SendFailed(const std::string& url, const std::string& why)
      : Error(ErrorCode::kNetwork, "storage node " + url + ": " + why,
              "run the same command again: what is paid and stored is not paid or sent again"),
        url(url) {}
  std::string url;
};

UploadResult Uploader::run() {
  if (source_.size() > kFragmentBytes) {
    throw Error(ErrorCode::kBadInput,
                "a file of " + std::to_string(source_.size()) +
                    " bytes is above the 4 GiB of one 0G Storage file",
                "upload it in fragments");
  }
  tree_ = FileTree::of(source_, events_.hashing);
  const std::vector<Peer> peers = reach(find_nodes(options_, http_), options_);
  std::vector<std::string> excluded;
  for (;;) {
    const std::vector<Peer> chosen = choose(peers, options_.replicas, excluded);
    check_chain(chosen);
    try {
      if (!tx_seq_ && !find_paid(chosen)) pay(chosen.front().status.flow);
      store(chosen);
      report(events_.sending, source_.size(), source_.size());
      return {tree_->root(), *tx_seq_, tx_hash_, fee_};
    } catch (const SendFailed& failed) {
      excluded.push_back(failed.url);
      if (excluded.size() > kNodeChanges || excluded.size() >= peers.size()) throw;
      log::warn("storage: {}; trying others", failed.what());
      try {
        choose(peers, options_.replicas, excluded);
      } catch (const Error&) {
        throw failed;
      }
    }
  }
}

void Uploader::check_chain(const std::vector<Peer>& peers) {
  const uint64_t ours = sender_.rpc().chain_id();
  for (const Peer& peer : peers) {
    if (peer.status.chain_id != 0 && peer.status.chain_id != ours) {
      throw Error(ErrorCode::kUsage,
                  "storage node " + peer.node->url() + " belongs to chain " +
                      std::to_string(peer.status.chain_id) + ", the wallet's is " +
                      std::to_string(ours),
                  "use storage nodes and an RPC endpoint of the same network");
    }
  }
}

// Looks the root up: with the nodes, then among recent blocks, since an earlier attempt may have
// paid without the nodes having noticed yet.
bool Uploader::find_paid(const std::vector<Peer>& peers) {
  const uint64_t size = tree_->shape().size;
  for (const Peer& peer : peers) {
    try {
      const auto info =
          with_retries(options_.attempts, [&] { return peer.node->file_info(tree_->root()); });
      // The same root with another length is another file (docs/spec/storage.md, "Length").
      if (!info || info->pruned || info->size != size) continue;
      tx_seq_ = info->tx_seq;
      return true;
    } catch (const Error& e) {
      throw SendFailed(peer.node->url(), e.what());
    }
  }
  evm::RpcClient& rpc = sender_.rpc();
  const uint64_t head = rpc.block_number();
  const auto paid = find_submissions(rpc, peers.front().status.flow, size, tree_->nodes(),
                                     head > kRecentBlocks ? head - kRecentBlocks : 0, head);
  if (paid.empty()) return false;
  tx_seq_ = paid.back().tx_seq;
  return true;
}

void Uploader::pay(const Address& flow) {
  const evm::U256 price = sector_price(sender_.rpc(), flow);
  if (price > options_.max_price) {
    throw Error(ErrorCode::kChain,
                "the Flow contract " + to_hex0x(flow.bytes) + " asks " + price.to_string() +
                    " wei for 256 bytes, more than the limit of " + options_.max_price.to_string(),
                "nothing was paid; check that the nodes are the network's own, or raise the limit");
  }
  fee_ = price * tree_->shape().padded_chunks;
  if (events_.paying) events_.paying(tree_->root(), fee_);
  const Submission paid = submit(sender_, flow, tree_->shape().size, tree_->nodes(), fee_);
  tx_seq_ = paid.tx_seq;
  tx_hash_ = paid.tx_hash;
}

void Uploader::store(const std::vector<Peer>& peers) {
  std::vector<Task> tasks;
  done_ = total_ = 0;
  for (const Peer& peer : peers) add_tasks(peer, wait_for_entry(peer), tasks);
  send_all(tasks);
  if (options_.wait_finality) wait_for_finality(peers);
}

FileInfo Uploader::wait_for_entry(const Peer& peer) {
  const Deadline deadline(options_.log_entry_timeout_ms);
  std::string problem = "it does not know transaction " + std::to_string(*tx_seq_) + " yet";
  unsigned failures = 0;
  bool ahead = tree_->shape().segments > 1;
  do {
    try {
      if (auto info = peer.node->file_info(*tx_seq_, tree_->root())) {
        if (info->size == tree_->shape().size) return *info;
        throw SendFailed(peer.node->url(), "it states another size for the file");
      }
      failures = 0;
      if (!std::exchange(ahead, true)) send_ahead(peer);
    } catch (const SendFailed&) {
      throw;
    } catch (const Error& e) {
      problem = e.what();
      if (++failures >= options_.attempts) break;
    }
    sleep_interruptibly(std::chrono::milliseconds(options_.poll_ms));
  } while (!deadline.over());
  throw SendFailed(peer.node->url(), problem);
}

// A file of one segment need not wait: a node keeps what it gets by root until it sees the
// transaction. One that does not is sent the segment again when it does.
void Uploader::send_ahead(const Peer& peer) {
  try {
    peer.node->upload({segment(0)}, std::nullopt);
  } catch (const Error& e) {
    log::debug("storage: {}", e.what());
  }
}

void Uploader::add_tasks(const Peer& peer, const FileInfo& info, std::vector<Task>& tasks) {
  const uint64_t first = info.start_entry / kSegmentChunks;
  Task task{&peer, {}};
  for (uint64_t i = 0; i < tree_->shape().segments; ++i) {
    if (!peer.shard.holds(first + i)) continue;
    const uint64_t bytes = std::min(kSegmentBytes, source_.size() - i * kSegmentBytes);
    total_ += bytes;
    bool there = info.finalized;
    if (!there && info.uploaded_segments > 0) {
      try {
        there = peer.node->has_segment(*tx_seq_, i);
      } catch (const Error& e) {
        log::debug("storage: {}", e.what());  // then it is sent once more
      }
    }
    if (there) {
      done_ += bytes;
      continue;
    }
    task.segments.push_back(i);
    if (task.segments.size() >= std::max(options_.segments_per_call, 1u)) {
      tasks.push_back(std::exchange(task, Task{&peer, {}}));
    }
  }
  if (!task.segments.empty()) tasks.push_back(std::move(task));
}

void Uploader::send_all(const std::vector<Task>& tasks) {
  advance(0);
  if (tasks.empty()) return;
  std::atomic<size_t> next{0};
  const auto threads =
      static_cast<unsigned>(std::min<size_t>(std::max(options_.workers, 1u), tasks.size()));
  run_parallel(threads, [&](const std::atomic<bool>& stop) {
    for (size_t i; !stop && (i = next++) < tasks.size();) send(tasks[i]);
  });
}

void Uploader::send(const Task& task) {
  std::vector<WireSegment> segments;
  uint64_t bytes = 0;
  for (uint64_t index : task.segments) {
    segments.push_back(segment(index));
    bytes += std::min(kSegmentBytes, source_.size() - index * kSegmentBytes);
  }
  Backoff backoff;
  unsigned busy = 0, failed = 0;
  for (;;) {
    std::string problem;
    try {
      if (task.peer->node->upload(segments, *tx_seq_) != NodeClient::Upload::kBusy) break;
      problem = "too many data writing";
      if (++busy >= kBusyAttempts) throw SendFailed(task.peer->node->url(), problem);
    } catch (const SendFailed&) {
      throw;
    } catch (const Error& e) {
      problem = e.what();
      if (++failed >= options_.attempts) throw SendFailed(task.peer->node->url(), problem);
    }
    log::debug("storage: {}: {}; again", task.peer->node->url(), problem);
    backoff.wait();
  }
  advance(bytes);
}

WireSegment Uploader::segment(uint64_t index) const {
  const FileShape& shape = tree_->shape();
  WireSegment out;
  out.root = tree_->root();
  out.index = index;
  out.file_size = shape.size;
  out.proof = tree_->proof(index);
  out.data.resize(shape.segment_bytes(index));
  const uint64_t at = index * kSegmentBytes;
  const uint64_t have = std::min<uint64_t>(out.data.size(), shape.size - at);
  source_.read(at, {out.data.data(), static_cast<size_t>(have)});
  return out;
}

void Uploader::advance(uint64_t bytes) {
  std::lock_guard lock(progress_mutex_);
  done_ += bytes;
  // With replicas more than the file is sent; progress is told in bytes of the file.
  const uint64_t size = source_.size();
  const double part = total_ == 0 ? 1.0 : static_cast<double>(done_) / static_cast<double>(total_);
  report(events_.sending, static_cast<uint64_t>(part * static_cast<double>(size)), size);
}

void Uploader::wait_for_finality(const std::vector<Peer>& peers) {
  const Deadline deadline(options_.finality_timeout_ms);
  for (const Peer& peer : peers) {
    unsigned failures = 0;
    for (;;) {
      try {
        const auto info = peer.node->file_info(*tx_seq_, tree_->root());
        if (info && info->finalized) break;
        failures = 0;
      } catch (const Error& e) {
        if (++failures >= options_.attempts) throw SendFailed(peer.node->url(), e.what());
      }
      if (deadline.over()) {
        throw SendFailed(peer.node->url(), "it has not finalized the file in time");
      }
      sleep_interruptibly(std::chrono::milliseconds(options_.poll_ms));
    }
  }
}

}  // namespace ffe::storage
