#include "storage/downloader.hpp"

#include <map>

#include "base/hex.hpp"
#include "base/log.hpp"
#include "storage/flow.hpp"
#include "storage/parallel.hpp"
#include "storage/tree.hpp"

namespace ffe::storage {
namespace {

using Clock = std::chrono::steady_clock;

// A chain with more blocks is too long to be searched for one submission.
constexpr uint64_t kSearchBlocks = 200'000;
constexpr unsigned kAskAttempts = 4;
constexpr double kLiePenalty = 64;
constexpr double kFailurePenalty = 8;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

// --- which nodes, which file

void Downloader::ask_nodes() {
  holders_.clear();
  for (Peer& peer : reach(find_nodes(options_, http_, root_), options_)) {
    try {
      auto info = with_retries(kAskAttempts, [&] { return peer.node->file_info(root_); });
      if (info && !info->pruned) holders_.push_back({std::move(peer), std::move(*info)});
    } catch (const Error& e) {
      unreachable_ = e.what();
      log::debug("storage: {}", e.what());
    }
  }
}

std::optional<FileInfo> Downloader::find() {
  Backoff backoff;
  for (unsigned attempt = 1; !chosen_; ++attempt) {
    ask_nodes();
    if (!holders_.empty()) {
      settle_size();
      break;
    }
    // A node that failed to answer may know it; one that says "no" is believed.
    if (unreachable_.empty() || attempt >= options_.attempts) return std::nullopt;
    unreachable_.clear();
    backoff.wait();
  }
  return chosen_;
}

std::vector<Location> Downloader::locations() {
  find();
  std::vector<Location> out;
  for (const Holder& h : holders_) out.push_back({h.peer.node->url(), h.peer.shard, h.info});
  std::stable_sort(out.begin(), out.end(), [](const Location& a, const Location& b) {
    return a.info.finalized > b.info.finalized;
  });
  return out;
}

const FileInfo& Downloader::locate() {
  if (!find()) {
    throw Error(ErrorCode::kNetwork,
                "no storage node knows " + to_hex0x(root_.bytes) +
                    (unreachable_.empty() ? "" : " (" + unreachable_ + ")"),
                "check the root and the network; a file that was just uploaded may need a minute");
  }
  return *chosen_;
}

// The root does not commit to the length inside the last padded block, so the length rests on what
// the nodes say. Where the chain can be searched, its word is the last one.
void Downloader::settle_size() {
  if (!chain_settles()) {
    std::map<uint64_t, unsigned> votes;
    for (const Holder& holder : holders_) ++votes[holder.info.size];
    const auto most =
        std::max_element(votes.begin(), votes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    const auto ties = std::count_if(votes.begin(), votes.end(),
                                    [&](const auto& v) { return v.second == most->second; });
    if (ties > 1) {
      throw Error(ErrorCode::kCorrupt,
                  "storage nodes " + holders_.front().peer.node->url() + " and others disagree " +
                      "about the size of " + to_hex0x(root_.bytes),
                  "name a node that you trust, or the chain's RPC endpoint");
    }
    const uint64_t size = most->first;
    std::erase_if(holders_, [&](const Holder& h) { return h.info.size != size; });
  }
  const auto best = std::max_element(
      holders_.begin(), holders_.end(),
      [](const Holder& a, const Holder& b) { return a.info.finalized < b.info.finalized; });
  chosen_ = best->info;
  shape_ = file_shape(chosen_->size);
}

bool Downloader::chain_settles() {
  if (options_.rpc_url.empty()) return false;
  evm::RpcClient rpc(options_.rpc_url);
  std::vector<Holder> confirmed;
  try {
    const uint64_t head = rpc.block_number();
    if (head > kSearchBlocks) return false;
    std::optional<uint64_t> first_size;
    uint64_t first_seq = 0;
    std::map<uint64_t, std::vector<Submission>> by_size;
    for (const Holder& holder : holders_) {
      const uint64_t size = holder.info.size;
      if (by_size.contains(size)) continue;
      by_size[size] =
          find_submissions(rpc, holder.peer.status.flow, size, holder.info.nodes, 0, head);
      if (by_size[size].empty()) continue;
      const uint64_t seq = by_size[size].front().tx_seq;
      if (!first_size || seq < first_seq) {
        first_size = size;
        first_seq = seq;
      }
    }
    if (!first_size) return false;
    for (Holder& holder : holders_) {
      if (holder.info.size == *first_size) confirmed.push_back(std::move(holder));
    }
  } catch (const Error& e) {
    log::debug("storage: the chain was not asked about the size: {}", e.what());
    return false;
  }
  holders_ = std::move(confirmed);
  return true;
}

// --- segments

void Downloader::run(Sink& sink, const Progress& progress) {
  locate();
  segment_roots_ = sink.kept(shape_, root_);
  std::mutex report_mutex;
  uint64_t done = 0;
  std::vector<uint64_t> missing;
  for (uint64_t i = 0; i < shape_.segments; ++i) {
    if (segment_roots_[i].is_zero()) {
      missing.push_back(i);
    } else {
      done += std::min(kSegmentBytes, shape_.size - i * kSegmentBytes);
    }
  }
  report(progress, done, shape_.size);
  std::atomic<size_t> next{0};
  const auto threads = static_cast<unsigned>(
      std::min<size_t>(std::max(options_.workers, 1u), std::max<size_t>(missing.size(), 1)));
  run_parallel(threads, [&](const std::atomic<bool>& stop) {
    for (size_t i; !stop && (i = next++) < missing.size();) {
      fetch(missing[i], sink);
      std::lock_guard lock(report_mutex);
      done += std::min(kSegmentBytes, shape_.size - missing[i] * kSegmentBytes);
      report(progress, done, shape_.size);
    }
  });
  check_whole();
}

// The best holder of a segment that was not tried in this round.
Downloader::Holder* Downloader::pick(uint64_t segment, const std::vector<Holder*>& tried) {
  std::lock_guard lock(mutex_);
  Holder* best = nullptr;
  double best_cost = 0;
  for (Holder& holder : holders_) {
    if (!holder.peer.shard.holds(holder.info.start_entry / kSegmentChunks + segment)) continue;
    if (std::find(tried.begin(), tried.end(), &holder) != tried.end()) continue;
    const double cost =
        holder.penalty + (holder.seconds + 0.01) * (1.0 + static_cast<double>(holder.in_flight));
    if (best == nullptr || cost < best_cost) {
      best = &holder;
      best_cost = cost;
    }
  }
  if (best != nullptr) ++best->in_flight;
  return best;
}

void Downloader::release(Holder& holder, const Outcome& outcome, double seconds) {
  std::lock_guard lock(mutex_);
  --holder.in_flight;
  holder.seconds = holder.seconds == 0 ? seconds : 0.7 * holder.seconds + 0.3 * seconds;
  if (outcome.ok) {
    holder.penalty /= 2;
  } else {
    holder.penalty += outcome.altered ? kLiePenalty : kFailurePenalty;
  }
}

void Downloader::fetch(uint64_t segment, Sink& sink) {
  Outcome last;
  Backoff backoff;
  for (unsigned round = 0; round < options_.attempts; ++round) {
    if (round > 0) backoff.wait();
    std::vector<Holder*> tried;
    while (Holder* holder = pick(segment, tried)) {
      tried.push_back(holder);
      // Slow nodes are given little time while there are others, all of it later.
      const bool hurry = round == 0 && holders_.size() > 1;
      const auto start = Clock::now();
      last = try_holder(*holder, segment, hurry ? options_.slow_ms : 0, sink);
      release(*holder, last, seconds_since(start));
      if (last.ok) return;
      log::debug("storage: segment {}: {}", segment, last.problem);
    }
    if (tried.empty()) {
      throw Error(ErrorCode::kNetwork,
                  "no storage node that answers holds segment " + std::to_string(segment) + " of " +
                      to_hex0x(root_.bytes),
                  "name nodes of the missing shard, or an indexer");
    }
  }
  if (last.altered) {
    throw Error(ErrorCode::kCorrupt, last.problem,
                "name other storage nodes; no wrong byte was kept");
  }
  throw Error(ErrorCode::kNetwork, last.problem,
              "run the same command again: what is there is not fetched again");
}

Downloader::Outcome Downloader::try_holder(Holder& holder, uint64_t segment, int timeout_ms,
                                           Sink& sink) {
  const std::string where =
      "storage node " + holder.peer.node->url() + ", segment " + std::to_string(segment);
  std::optional<WireSegment> got;
  try {
    got = holder.peer.node->download(holder.info.tx_seq, segment, timeout_ms);
  } catch (const Error& e) {
    return {false, e.code() == ErrorCode::kBadInput, where + ": " + e.what()};
  }
  if (!got) return {false, false, where + ": it does not have it"};
  if (const std::string wrong = verify(holder, segment, *got); !wrong.empty()) {
    return {false, true, where + ": altered bytes: " + wrong};
  }
  const uint64_t size = std::min(kSegmentBytes, shape_.size - segment * kSegmentBytes);
  const H256& segment_root = got->proof.lemma.front();
  sink.write(segment, ByteView(got->data).first(size), segment_root);
  segment_roots_[segment] = segment_root;
  return {true, false, {}};
}

// Empty if the segment is what the root names.
std::string Downloader::verify(const Holder& holder, uint64_t segment,
                               const WireSegment& got) const {
  if (got.root != root_) return "another root";
  if (got.index != segment) return "another segment";
  if (got.file_size != holder.info.size) return "another file size";
  if (got.data.size() != shape_.segment_bytes(segment)) return "wrong length";
  const H256 hash = storage::segment_root(shape_, segment, got.data);
  const ProofCheck check = check_proof(shape_, root_, segment, hash, got.proof);
  if (check != ProofCheck::kOk) return std::string(proof_check_text(check));
  // What lies in the last chunk beyond the file's end must be the zeros that were put there.
  const uint64_t size = std::min(kSegmentBytes, shape_.size - segment * kSegmentBytes);
  const auto tail = got.data.begin() + static_cast<ptrdiff_t>(size);
  if (std::any_of(tail, got.data.end(), [](uint8_t b) { return b != 0; })) {
    return "data beyond the stated end of the file";
  }
  return {};
}

// All segment roots together lead to the root once more: nothing was mixed up on the way.
void Downloader::check_whole() const {
  std::vector<H256> level = segment_roots_;
  while (level.size() < shape_.padded_segments) level.push_back(zero_root(10));
  if (tree_root(std::move(level)) != root_) {
    throw Error(ErrorCode::kCorrupt, "the segments do not make up " + to_hex0x(root_.bytes),
                "remove the partial download and start again");
  }
}

}  // namespace ffe::storage
