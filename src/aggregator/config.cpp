#include "aggregator/config.hpp"

#include <set>
#include <toml++/toml.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "tee/platform.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

class Reader {
 public:
  explicit Reader(const fs::path& file) : file_(file), folder_(fs::absolute(file).parent_path()) {
    try {
      root_ = toml::parse(read_text_file(file, 1 << 20), file.string());
    } catch (const toml::parse_error& e) {
      throw Error(ErrorCode::kUsage, file.string() + ":" + std::to_string(e.source().begin.line) +
                                         ": " + std::string(e.description()));
    }
  }

  [[noreturn]] void fail(std::string_view key, std::string_view why) const {
    throw Error(ErrorCode::kUsage,
                file_.string() + ": " + std::string(key) + " " + std::string(why));
  }

  template <class T>
  std::optional<T> find(std::string_view key) {
    known_.emplace(key);
    toml::node_view<toml::node> node = root_.at_path(key);
    if (!node) return std::nullopt;
    std::optional<T> value = node.value_exact<T>();
    if (!value) fail(key, "has the wrong type");
    return value;
  }

  std::string text(std::string_view key) {
    std::optional<std::string> value = find<std::string>(key);
    if (!value || value->empty()) fail(key, "is missing");
    return *value;
  }
  std::string text_or(std::string_view key, std::string fallback) {
    return find<std::string>(key).value_or(std::move(fallback));
  }
  fs::path path(std::string_view key) { return (folder_ / text(key)).lexically_normal(); }
  fs::path path_or(std::string_view key) { return find<std::string>(key) ? path(key) : fs::path(); }

  Address address(std::string_view key) {
    try {
      return address_from_hex(text(key));
    } catch (const Error& e) {
      fail(key, std::string("is not an address: ") + e.what());
    }
  }

  uint64_t number_or(std::string_view key, uint64_t fallback, uint64_t max) {
    std::optional<int64_t> value = find<int64_t>(key);
    if (!value) return fallback;
    if (*value < 0 || static_cast<uint64_t>(*value) > max) {
      fail(key, "must be between 0 and " + std::to_string(max));
    }
    return static_cast<uint64_t>(*value);
  }

  std::vector<std::string> texts(std::string_view key) {
    known_.emplace(key);
    std::vector<std::string> out;
    toml::node_view<toml::node> value = root_.at_path(key);
    if (!value) return out;
    toml::array* array = value.as_array();
    if (array == nullptr) fail(key, "must be a list of strings");
    for (toml::node& node : *array) {
      if (!node.is_string()) fail(key, "must be a list of strings");
      out.push_back(node.value_exact<std::string>().value());
    }
    return out;
  }

  // A key that nobody asked for is a typing mistake that would otherwise pass in silence.
  void refuse_unknown() const {
    for (const auto& [table, node] : root_) {
      const toml::table* keys = node.as_table();
      if (keys == nullptr) fail(table.str(), "is not inside a table");
      for (const auto& [key, value] : *keys) {
        std::string name = std::string(table.str()) + "." + std::string(key.str());
        if (!known_.contains(name)) fail(name, "is not a known setting");
      }
    }
  }

 private:
  fs::path file_;
  fs::path folder_;
  toml::table root_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace

Config read_config(const fs::path& file) {
  Reader in(file);
  Config c;
  c.data_dir = in.path("service.data_dir");
  c.host = in.text_or("service.host", c.host);
  c.port = static_cast<int>(in.number_or("service.port", 0, 65535));
  c.rpc_url = in.text("chain.rpc_url");
  c.coordinator = in.address("chain.coordinator");
  c.registry = in.address("chain.registry");
  c.confirmations = in.number_or("chain.confirmations", c.confirmations, 1000);
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
  c.max_data_bytes = in.number_or("limits.max_data_bytes", c.max_data_bytes, uint64_t{4} << 30);
  c.blob_window_seconds = static_cast<uint32_t>(
      in.number_or("limits.blob_window_seconds", c.blob_window_seconds, 86400));
  in.refuse_unknown();
  return c;
}

}  // namespace ffe::aggregator
