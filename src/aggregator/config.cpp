#include "aggregator/config.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/toml_reader.hpp"
#include "lm/numeric.hpp"
#include "tee/platform.hpp"

namespace ffe::aggregator {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kLeastSessionBytes = 16 << 20;

inference::ServeOptions read_inference(TomlReader& in) {
  inference::ServeOptions o;
  const auto number = [&](const char* key, uint64_t fallback, uint64_t least, uint64_t most) {
    const uint64_t n = in.number_or(key, fallback, most);
    if (n < least) in.fail(key, "must be at least " + std::to_string(least));
    return n;
  };
  o.enabled = in.flag_or("inference.enabled", false);
  o.numeric = in.text_or("inference.numeric_path", o.numeric);
  try {
    if (o.numeric != lm::numeric_name(lm::NumericPath::kQuantised))
      lm::numeric_from_name(o.numeric);
  } catch (const Error& e) {
    in.fail("inference.numeric_path", e.what());
  }
  o.threads = static_cast<int>(number("inference.threads", 0, 0, 1024));
  o.max_streams = number("inference.max_streams", o.max_streams, 1, 256);
  o.max_context = number("inference.max_context", o.max_context, 16, 1 << 20);
  o.max_tokens = number("inference.max_tokens", o.max_tokens, 1, 1 << 20);
  o.memory_bytes = number("inference.memory_mb", o.memory_bytes >> 20, 16, 1 << 24) << 20;
  o.owner_streams = number("inference.owner_streams", o.owner_streams, 1, 256);
  o.owner_tokens_per_minute =
      number("inference.owner_tokens_per_minute", o.owner_tokens_per_minute, 1, 1'000'000'000);
  o.idle_seconds = static_cast<uint32_t>(in.seconds_or("inference.idle", o.idle_seconds, 86400));
  o.chain_cache_seconds =
      static_cast<uint32_t>(in.seconds_or("inference.chain_cache", o.chain_cache_seconds, 60));
  return o;
}

Config::Compute read_compute(TomlReader& in) {
  Config::Compute c;
  if (!in.has("compute.ledger") && !in.has("compute.fine_tuning")) return c;
  auto ether = [&](const char* key, const char* fallback) {
    try {
      return evm::parse_ether(in.text_or(key, fallback));
    } catch (const Error&) {
      in.fail(key, "is not an amount of 0G such as \"0.5\"");
    }
  };
  c.ledger = in.address("compute.ledger");
  c.fine_tuning = in.address("compute.fine_tuning");
  c.max_fee = ether("compute.max_fee", "1");
  c.max_balance = ether("compute.max_balance", "5");
  c.poll_seconds = static_cast<uint32_t>(in.number_or("compute.poll_seconds", c.poll_seconds, 600));
  c.close = in.number_or("compute.close", 0, 1) != 0;
  return c;
}

}  // namespace

uint64_t Config::contribution_bytes(size_t participants) const {
  return std::min(max_data_bytes, max_session_bytes / std::max<size_t>(participants, 1));
}

Config read_config(const fs::path& file) {
  TomlReader in(file);
  Config c;
  c.data_dir = in.path("service.data_dir");
  c.host = in.text_or("service.host", c.host);
  c.port = static_cast<int>(in.number_or("service.port", 0, 65535));
  c.rpc_url = in.text("chain.rpc_url");
  c.coordinator = in.address("chain.coordinator");
  c.registry = in.address("chain.registry");
  // 0 and 1 mean the same: in a block.
  c.confirmations =
      std::max<uint64_t>(in.number_or("chain.confirmations", c.confirmations, 1000), 1);
  c.poll_ms = static_cast<uint32_t>(in.number_or("chain.poll_ms", c.poll_ms, 60'000));
  c.storage_nodes = in.texts("storage.nodes");
  c.indexer_url = in.text_or("storage.indexer", "");
  if (c.storage_nodes.empty() && c.indexer_url.empty()) {
    in.fail("storage.nodes", "or storage.indexer is needed");
  }
  c.model_path = in.path("model.path");
  c.model_name = in.text("model.name");
  c.threads = static_cast<int>(in.number_or("model.threads", 0, 1024));
  c.provider = in.text("enclave.provider");
  if (c.provider == "simulator") {
    c.simulator_dir = in.path("enclave.simulator_dir");
  } else if (!tee::known_provider(c.provider)) {
    in.fail("enclave.provider",
            "must be \"auto\", \"configfs-tsm\", \"dstack\", \"tapp\" or \"simulator\"");
  }
  c.endpoint = in.text_or("enclave.endpoint", "");
  c.app_id = in.text_or("enclave.app_id", "");
  if (c.provider == "tapp" && c.app_id.empty()) in.fail("enclave.app_id", "is missing");
  c.pccs_url = in.text_or("enclave.pccs_url", "");
  c.pccs_ca_file = in.path_or("enclave.pccs_ca_file");
  c.payee = in.address("operator.payee");
  c.keystore_file = in.path("operator.keystore");
  c.password_file = in.path("operator.password_file");
  c.compute = read_compute(in);
  c.max_data_bytes = in.number_or("limits.max_data_bytes", c.max_data_bytes, uint64_t{4} << 30);
  c.max_session_bytes =
      in.number_or("limits.max_session_bytes", c.max_session_bytes, uint64_t{1} << 40);
  c.max_disk_bytes = in.number_or("limits.max_disk_bytes", c.max_disk_bytes, uint64_t{1} << 50);
  if (c.max_session_bytes < kLeastSessionBytes) {
    in.fail("limits.max_session_bytes", "is below " + std::to_string(kLeastSessionBytes));
  }
  // Padding adds at most 12 %, and a pool and a sample come beside the contributions.
  if (c.max_disk_bytes / 3 < c.max_session_bytes) {
    in.fail("limits.max_disk_bytes", "must be at least three times limits.max_session_bytes");
  }
  c.blob_window_seconds = static_cast<uint32_t>(
      in.number_or("limits.blob_window_seconds", c.blob_window_seconds, 86400));
  c.serving = read_inference(in);
  in.refuse_unknown();
  return c;
}

}  // namespace ffe::aggregator
