// Client of 0G Storage: pays once, uploads with proofs, downloads and verifies every segment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"
#include "storage/merkle.hpp"
#include "storage/shards.hpp"

namespace ffe::evm {
class RpcClient;
class Sender;
}  // namespace ffe::evm

namespace ffe::storage {

struct ClientOptions {
  std::string rpc_url;             // the chain; empty: no payment, no on-chain check
  std::vector<std::string> nodes;  // storage nodes; used before the indexer's
  std::string indexer_url;         // asked for nodes when `nodes` is empty
  // The Flow contract, where it is known: nodes that follow another are not used, so none can have
  // a payment sent elsewhere.
  std::optional<Address> flow;
  // Wei for one sector of 256 bytes; nothing is paid above it. 0G's price is about 3.1e10.
  evm::U256 max_price{1'000'000'000'000};
  unsigned replicas = 1;           // nodes that must hold each segment after an upload
  unsigned workers = 4;            // parallel requests
  unsigned segments_per_call = 4;  // segments in one upload request
  int connect_timeout_ms = 5'000;
  int request_timeout_ms = 30'000;
  int slow_ms = 5'000;                 // a download slower than this is also asked of another node
  int log_entry_timeout_ms = 300'000;  // the nodes see the transaction
  int finality_timeout_ms = 600'000;   // the nodes hold every segment
  int poll_ms = 500;
  unsigned attempts = 8;  // per request, with back-off from 250 ms doubling to 10 s, and jitter
  bool wait_finality = true;
};

// Options of a network by name: "devnet" (loopback), "galileo" or "aristotle".
// Throws Error{kUsage} listing the names.
ClientOptions network_options(std::string_view name);

// What an upload tells while it runs, from any of its threads but one call at a time.
struct UploadEvents {
  Progress hashing = {};  // bytes read
  Progress sending = {};  // bytes that the nodes have, of the file's
  // A transaction of `fee` wei beside its gas is about to be sent; not called for what is paid.
  std::function<void(const H256& root, const evm::U256& fee)> paying = {};
};

struct UploadResult {
  H256 root;
  uint64_t tx_seq = 0;
  H256 tx_hash;     // zero if the file was paid for or stored already
  evm::U256 fee{};  // wei, beside the gas
};

struct FileInfo {
  H256 root;
  uint64_t size = 0;
  uint64_t tx_seq = 0;
  uint64_t start_entry = 0;
  std::vector<SubmissionNode> nodes;
  bool finalized = false;
  bool pruned = false;
  uint64_t uploaded_segments = 0;
};

// Which header of the official client-side encryption the bytes begin with: 1 (AES key) or 2
// (ECIES), nothing otherwise. A guess, since version 1 has no more than one fixed byte.
std::optional<int> official_encryption(ByteView head, uint64_t size);

// One node's word about a file.
struct Location {
  std::string url;
  Shard shard;
  FileInfo info;
};

// The roots of a file as upload_fragments() cuts it: one if it is no larger than a fragment.
std::vector<H256> fragment_roots(const std::filesystem::path& file,
                                 uint64_t fragment_bytes = kFragmentBytes,
                                 const Progress& progress = {});

// Thread-safe; one upload per `Sender` at a time.
class Client {
 public:
  explicit Client(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Stores 1 byte to 4 GiB. Looks the root up first: what is stored is not paid for or sent again,
  // and an interrupted upload goes on where it stopped. Throws Error: kBadInput for an empty or
  // oversized file, kChain when the payment fails or its price is above max_price, kNetwork when
  // nodes do not answer in time.
  UploadResult upload(const std::filesystem::path& file, evm::Sender& sender,
                      const UploadEvents& events = {});
  UploadResult upload(ByteView bytes, evm::Sender& sender, const UploadEvents& events = {});
  // What upload() would pay for so many bytes that are not stored yet, in wei beside the gas.
  evm::U256 fee(uint64_t bytes, evm::RpcClient& rpc) const;
  // A file of any size, cut as the official clients do; the roots in order are the file.
  // `fragment_bytes`: a power of two from 256 to 4 GiB.
  std::vector<UploadResult> upload_fragments(const std::filesystem::path& file, evm::Sender& sender,
                                             const UploadEvents& events = {},
                                             uint64_t fragment_bytes = kFragmentBytes);

  // Writes the file when every segment's proof holds. Works in "<out>.part" and goes on with what
  // an earlier attempt left there. Throws Error: kNetwork when the root is unknown or no node
  // answers, kCorrupt naming node and segment when what is left is only altered bytes, kBadInput if
  // the file is larger than `max_bytes`.
  void download(const H256& root, const std::filesystem::path& out, Progress progress = {},
                uint64_t max_bytes = kMaxFileBytes);
  Bytes download(const H256& root, size_t max_bytes);
  void download_fragments(std::span<const H256> roots, const std::filesystem::path& out,
                          Progress progress = {});

  // What the nodes know about a root: a finalized transaction before any other.
  std::optional<FileInfo> info(const H256& root);
  // Each node that knows the root, finalized ones first; empty if none does.
  std::vector<Location> locations(const H256& root);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ffe::storage
