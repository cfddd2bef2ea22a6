// Where a network's parts are: chain, contracts, storage, enclaves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace ffe::client {

struct Network {
  std::string name;
  uint64_t chain_id = 0;
  std::string rpc_url;
  Address coordinator;
  Address registry;
  Address inft;
  Address compute_ledger;  // 0G Compute's, where the network has them; zero otherwise
  Address compute_fine_tuning;
  Address compute_inference;
  uint64_t from_block = 0;  // where the contracts' logs begin
  std::vector<std::string> storage_nodes;
  std::string indexer_url;
  std::vector<std::string> enclave_urls;  // services to ask for collateral and new sessions
  // DER of a development root; allowed on chain 31337 only. Absent: Intel's.
  std::optional<Bytes> development_root;
  // Code hashes of published releases that this client encrypts to.
  std::vector<H256> releases;
};

// A file as `ffe devnet up` writes it. Throws Error{kUsage} naming the member; a
// development root beside another chain id is refused.
Network read_network(const std::filesystem::path& file);
void write_network(const std::filesystem::path& file, const Network& network);

// A path to such a file, or a name: <config>/networks/NAME.json, or "devnet" (the running one).
// Throws Error{kUsage} listing the names that exist.
Network find_network(const std::string& name_or_path);

// Where `ffe devnet up` puts its network file.
std::filesystem::path devnet_network_file();

}  // namespace ffe::client
