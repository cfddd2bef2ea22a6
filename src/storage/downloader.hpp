// One download: every segment verified, from whichever node gives it.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/client.hpp"
#include "storage/node_set.hpp"
#include "storage/sink.hpp"

namespace ffe::storage {

class Downloader {
 public:
  Downloader(const ClientOptions& options, std::shared_ptr<net::HttpClient> http, const H256& root)
      : options_(options), http_(std::move(http)), root_(root) {}

  // Finds the nodes that know the root and what they agree on. Throws Error{kNetwork} if none does,
  // kCorrupt if they contradict each other and nobody settles it.
  const FileInfo& locate();
  // The same without an error for an unknown root.
  std::optional<FileInfo> find();
  std::vector<Location> locations();
  void run(Sink& sink, const Progress& progress);

 private:
  struct Holder {
    Peer peer;
    FileInfo info;
    double penalty = 0;  // for lies and failures; halves with every good segment
    double seconds = 0;  // of a segment, smoothed
    unsigned in_flight = 0;
  };
  struct Outcome {
    bool ok = false;
    bool altered = false;  // the last node gave wrong bytes
    std::string problem;
  };

  void ask_nodes();
  void settle_size();
  bool chain_settles();
  Holder* pick(uint64_t segment, const std::vector<Holder*>& tried);
  void fetch(uint64_t segment, Sink& sink);
  Outcome try_holder(Holder& holder, uint64_t segment, int timeout_ms, Sink& sink);
  std::string verify(const Holder& holder, uint64_t segment, const WireSegment& got) const;
  void check_whole() const;
  void release(Holder& holder, const Outcome& outcome, double seconds);

  const ClientOptions& options_;
  std::shared_ptr<net::HttpClient> http_;
  H256 root_;
  FileShape shape_;
  std::optional<FileInfo> chosen_;
  std::string unreachable_;  // the last node that did not answer
  std::mutex mutex_;
  std::vector<Holder> holders_;
  std::vector<H256> segment_roots_;
};

}  // namespace ffe::storage
