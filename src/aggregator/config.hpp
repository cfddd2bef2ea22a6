// The operator's configuration of ffe-aggregator: one TOML file, checked before anything starts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "evm/u256.hpp"
#include "inference/options.hpp"

namespace ffe::aggregator {

struct Config {
  // [service]
  std::filesystem::path data_dir;  // journal and ciphertexts; created with mode 0700
  std::string host = "127.0.0.1";
  int port = 0;  // 0: the system picks one; written to <data_dir>/port

  // [chain]
  std::string rpc_url;
  Address coordinator;
  Address registry;
  uint64_t confirmations = 1;
  uint32_t poll_ms = 1000;

  // [storage]
  std::vector<std::string> storage_nodes;
  std::string indexer_url;

  // [model]
  std::filesystem::path model_path;
  std::string model_name;
  int threads = 0;  // 0: all cores

  // [enclave]
  std::string provider;                 // auto, configfs-tsm, dstack, tapp, simulator
  std::string endpoint;                 // of dstack or tapp; empty: their usual sockets
  std::string app_id;                   // of tapp
  std::filesystem::path simulator_dir;  // of simulator
  std::string pccs_url;                 // empty: Intel's service
  std::filesystem::path pccs_ca_file;   // PEM of the PCCS's authority; empty: the system's

  // [operator]: pays gas, is paid the fee
  Address payee;
  std::filesystem::path keystore_file;
  std::filesystem::path password_file;

  // [compute]: sessions with trainer "0g-compute" are taken if it is there
  struct Compute {
    Address ledger;
    Address fine_tuning;  // zero: none are taken
    evm::U256 max_fee;    // wei that one session's training may cost
    // Wei that may lie at 0G Compute and in the enclave's account there, all sessions together.
    evm::U256 max_balance;
    uint32_t poll_seconds = 15;
    bool close = false;  // takes the money back to the payee and takes no such sessions any more

    bool offered() const { return !fine_tuning.is_zero() && !close; }
  } compute;

  // [limits]
  uint64_t max_data_bytes = uint64_t{256} << 20;   // plaintext of one contribution
  uint64_t max_session_bytes = uint64_t{1} << 30;  // plaintext of all contributions of a session
  uint64_t max_disk_bytes = uint64_t{8} << 30;     // ciphertexts of all sessions
  uint32_t blob_window_seconds = 600;              // how long a blob may be unavailable

  // [inference]: off unless it says enabled = true
  inference::ServeOptions serving;

  // Plaintext of one contribution to a session of so many participants: each has the same share, so
  // that none of them can take what another needs.
  uint64_t contribution_bytes(size_t participants) const;
};

// Throws Error{kUsage} naming the table and key; relative paths are relative to the file.
Config read_config(const std::filesystem::path& file);

}  // namespace ffe::aggregator
