// A 0G Storage node: the zgs_ and indexer_ JSON-RPC of the official node over SQLite and segment
// files, fed by the Flow contract's events.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::storage {

// Misbehaviour for tests: the probability of each fault per request, decided by a seeded stream.
struct Faults {
  double drop = 0;     // the connection ends without a whole answer
  double delay = 0;    // the answer comes `delay_ms` late
  double corrupt = 0;  // a downloaded segment has a wrong byte
  double stall = 0;    // no answer for `stall_ms`, then the connection ends
  int delay_ms = 200;
  int stall_ms = 20'000;
  uint64_t seed = 1;

  bool any() const { return drop > 0 || delay > 0 || corrupt > 0 || stall > 0; }
};

// "drop=0.1,delay=0.2:500,corrupt=0.05,stall=0.01:30000,seed=7": probability[:milliseconds].
// Throws Error{kUsage} naming the part that is wrong.
Faults parse_faults(std::string_view text);

struct NodeOptions {
  std::filesystem::path dir;  // created if missing; one node per folder (locked)
  std::string rpc_url;
  Address flow_address;
  std::string host = "127.0.0.1";
  int port = 5678;  // 0 = any free one
  uint32_t shard_id = 0;
  uint32_t num_shard = 1;  // a power of two
  uint64_t start_block = 0;
  uint64_t confirmations = 0;
  int poll_ms = 200;
  std::string public_url;          // what the indexer calls this node; default http://host:port
  std::vector<std::string> peers;  // further nodes that the indexer lists
  size_t max_body_bytes = size_t{100} << 20;
  unsigned max_writings = 16;  // segments written at once before "too many data writing"
  unsigned threads = 32;
  uint64_t max_cache_file_bytes = uint64_t{10} << 20;  // files cached before their transaction
  uint64_t max_cache_bytes = uint64_t{1} << 30;
  int cache_ttl_s = 300;
  Faults faults;
};

class Node {
 public:
  using Options = NodeOptions;

  // Throws Error{kUsage} for impossible options.
  explicit Node(Options options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Opens the store, binds the port and returns; the chain may still be down. Throws Error{kIo} if
  // the folder or port is taken.
  void start();
  void stop();
  int port() const;
  std::string url() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::storage
