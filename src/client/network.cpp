#include "client/network.hpp"

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kDevelopmentChain = 31337;

Json hashes_to_json(const std::vector<H256>& hashes) {
  Json out = Json::array();
  for (const H256& h : hashes) out.push_back(to_hex0x(h.bytes));
  return out;
}

std::vector<std::string> strings(const Json& json, const char* key, const std::string& what) {
  std::vector<std::string> out;
  const Json& list = json_member(json, key, what);
  if (!list.is_array()) throw Error(ErrorCode::kUsage, what + ": " + key + " is not a list");
  for (const Json& v : list) {
    if (!v.is_string()) throw Error(ErrorCode::kUsage, what + ": " + key + " must hold strings");
    out.push_back(v.get<std::string>());
  }
  return out;
}

// Hexadecimal text, with the member's name before what is wrong with it.
template <class Parse>
auto parse_hex(const std::string& text, const char* key, const std::string& what, Parse parse) {
  try {
    return parse(text);
  } catch (const Error& e) {
    throw Error(ErrorCode::kUsage, what + ": " + key + ": " + e.what());
  }
}

Address address(const Json& json, const char* key, const std::string& what) {
  return parse_hex(json_string(json, key, what), key, what, address_from_hex);
}

}  // namespace

Network read_network(const fs::path& file) {
  std::string what = file.string();
  try {
    Json j = parse_json(read_text_file(file, 1 << 20), what);
    Network n;
    n.name = json_string(j, "name", what);
    n.chain_id = json_uint(j, "chainId", what);
    n.rpc_url = json_string(j, "rpcUrl", what);
    n.coordinator = address(j, "coordinator", what);
    n.registry = address(j, "registry", what);
    n.inft = address(j, "inft", what);
    if (j.contains("computeLedger")) {
      n.compute_ledger = address(j, "computeLedger", what);
      n.compute_fine_tuning = address(j, "computeFineTuning", what);
    }
    if (j.contains("computeInference")) n.compute_inference = address(j, "computeInference", what);
    n.from_block = json_uint(j, "fromBlock", what);
    n.storage_nodes = strings(j, "storageNodes", what);
    if (j.contains("indexerUrl")) n.indexer_url = json_string(j, "indexerUrl", what);
    n.enclave_urls = strings(j, "enclaveUrls", what);
    for (const std::string& h : strings(j, "releases", what)) {
      n.releases.push_back(parse_hex(h, "releases", what, h256_from_hex));
    }
    if (j.contains("developmentRoot")) {
      if (n.chain_id != kDevelopmentChain) {
        throw Error(ErrorCode::kUsage,
                    what + ": a development root on chain " + std::to_string(n.chain_id) +
                        " proves nothing",
                    "remove developmentRoot: Intel's root is compiled in");
      }
      n.development_root =
          parse_hex(json_string(j, "developmentRoot", what), "developmentRoot", what, from_hex);
    }
    return n;
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kBadInput) throw;
    throw Error(ErrorCode::kUsage, e.what(), e.hint());
  }
}

void write_network(const fs::path& file, const Network& n) {
  Json j = {{"name", n.name},
            {"chainId", n.chain_id},
            {"rpcUrl", n.rpc_url},
            {"coordinator", to_hex0x(n.coordinator.bytes)},
            {"registry", to_hex0x(n.registry.bytes)},
            {"inft", to_hex0x(n.inft.bytes)},
            {"fromBlock", n.from_block},
            {"storageNodes", n.storage_nodes},
            {"indexerUrl", n.indexer_url},
            {"enclaveUrls", n.enclave_urls},
            {"releases", hashes_to_json(n.releases)}};
  if (!n.compute_ledger.is_zero()) {
    j["computeLedger"] = to_hex0x(n.compute_ledger.bytes);
    j["computeFineTuning"] = to_hex0x(n.compute_fine_tuning.bytes);
  }
  if (!n.compute_inference.is_zero()) {
    j["computeInference"] = to_hex0x(n.compute_inference.bytes);
  }
  if (n.development_root) j["developmentRoot"] = to_hex0x(*n.development_root);
  write_file_atomic(file, as_bytes(j.dump(2) + "\n"));
}

fs::path devnet_network_file() {
  return data_dir() / "devnet" / "network.json";
}

Network find_network(const std::string& name) {
  if (name.find('/') != std::string::npos || name.ends_with(".json")) return read_network(name);
  if (name == "devnet") {
    if (!fs::exists(devnet_network_file())) {
      throw Error(ErrorCode::kUsage, "no devnet is running", "start one: ffe devnet up");
    }
    return read_network(devnet_network_file());
  }
  fs::path folder = config_dir() / "networks";
  if (fs::exists(folder / (name + ".json"))) return read_network(folder / (name + ".json"));
  std::string names = "devnet";
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    if (entry.path().extension() == ".json") names += ", " + entry.path().stem().string();
  }
  throw Error(ErrorCode::kUsage, "unknown network \"" + name + "\"",
              "known: " + names + "; or give the path of a network file");
}

}  // namespace ffe::client
