// The operator's configuration: what is wrong is named by table and key.
#include "aggregator/config.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "support/error_of.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGood = R"([service]
data_dir = "data"
host = "0.0.0.0"
port = 8443

[chain]
rpc_url = "http://127.0.0.1:8545"
coordinator = "0x00000000000000000000000000000000000000aa"
registry = "0x00000000000000000000000000000000000000bb"
confirmations = 3
poll_ms = 250

[storage]
nodes = ["http://127.0.0.1:5678", "http://127.0.0.1:5679"]

[model]
path = "../models/base.gguf"
name = "Base"
threads = 4

[enclave]
provider = "simulator"
simulator_dir = "simulator"

[operator]
payee = "0x00000000000000000000000000000000000000cc"
keystore = "key.json"
password_file = "/run/secrets/password"

[limits]
max_data_bytes = 1048576
max_session_bytes = 33554432
max_disk_bytes = 1073741824
blob_window_seconds = 60
)";

class ConfigTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& text) const {
    fs::path file = folder_.path() / "service.toml";
    write_file_atomic(file, as_bytes(text));
    return file;
  }
  // The good file with one piece of text replaced.
  fs::path with(const std::string& old_text, const std::string& new_text) const {
    std::string text = kGood;
    size_t at = text.find(old_text);
    EXPECT_NE(at, std::string::npos) << old_text;
    return write(text.replace(at, old_text.size(), new_text));
  }
  std::string refusal(const fs::path& file) const {
    std::string error = test::error_of([&] { read_config(file); });
    EXPECT_TRUE(error.starts_with("usage: " + file.string())) << error;
    return error.substr(
        std::min(error.size(), std::string("usage: ").size() + file.string().size()));
  }

  TempDir folder_{"ffe-config"};
};

TEST_F(ConfigTest, SealedInferenceIsOffUnlessItIsSwitchedOn) {
  EXPECT_FALSE(read_config(write(kGood)).serving.enabled);
  const auto with_table = [&](const std::string& lines) {
    return write(std::string(kGood) + "\n[inference]\n" + lines);
  };
  const auto serving =
      read_config(with_table("enabled = true\nmax_streams = 3\nmemory_mb = 100\nidle = \"2m\"\n"
                             "numeric_path = \"quantised\"\n"))
          .serving;
  EXPECT_TRUE(serving.enabled);
  EXPECT_EQ(serving.max_streams, 3u);
  EXPECT_EQ(serving.memory_bytes, uint64_t{100} << 20);
  EXPECT_EQ(serving.idle_seconds, 120u);
  for (const char* bad : {"enabled = 1", "max_streams = 0", "numeric_path = \"fp8\"",
                          "idle = \"2 minutes\"", "memory_mb = 1", "streams = 3"}) {
    EXPECT_NE(refusal(with_table(bad)).find("inference."), std::string::npos) << bad;
  }
}

TEST_F(ConfigTest, ReadsEverySetting) {
  Config c = read_config(write(kGood));
  EXPECT_EQ(c.data_dir, folder_.path() / "data");
  EXPECT_EQ(c.host, "0.0.0.0");
  EXPECT_EQ(c.port, 8443);
  EXPECT_EQ(c.rpc_url, "http://127.0.0.1:8545");
  EXPECT_EQ(to_hex(c.coordinator.bytes), std::string(38, '0') + "aa");
  EXPECT_EQ(to_hex(c.registry.bytes), std::string(38, '0') + "bb");
  EXPECT_EQ(c.confirmations, 3u);
  EXPECT_EQ(c.poll_ms, 250u);
  EXPECT_EQ(c.storage_nodes,
            (std::vector<std::string>{"http://127.0.0.1:5678", "http://127.0.0.1:5679"}));
  EXPECT_EQ(c.indexer_url, "");
  EXPECT_EQ(c.model_path, folder_.path().parent_path() / "models/base.gguf");
  EXPECT_EQ(c.model_name, "Base");
  EXPECT_EQ(c.threads, 4);
  EXPECT_EQ(c.provider, "simulator");
  EXPECT_EQ(c.simulator_dir, folder_.path() / "simulator");
  EXPECT_EQ(to_hex(c.payee.bytes), std::string(38, '0') + "cc");
  EXPECT_EQ(c.keystore_file, folder_.path() / "key.json");
  EXPECT_EQ(c.password_file, "/run/secrets/password");
  EXPECT_EQ(c.max_data_bytes, 1048576u);
  EXPECT_EQ(c.max_session_bytes, 33554432u);
  EXPECT_EQ(c.max_disk_bytes, 1073741824u);
  EXPECT_EQ(c.blob_window_seconds, 60u);
}

TEST_F(ConfigTest, ContributorsShareASessionsMemoryEvenly) {
  const Config c = read_config(write(kGood));
  EXPECT_EQ(c.contribution_bytes(2), 1048576u);
  EXPECT_EQ(c.contribution_bytes(32), 1048576u);
  EXPECT_EQ(c.contribution_bytes(255), 33554432u / 255);
  EXPECT_EQ(refusal(with("max_disk_bytes = 1073741824", "max_disk_bytes = 33554432")),
            ": limits.max_disk_bytes must be at least three times limits.max_session_bytes");
  EXPECT_EQ(refusal(with("max_session_bytes = 33554432", "max_session_bytes = 1000")),
            ": limits.max_session_bytes is below 16777216");
}

TEST_F(ConfigTest, WhatIsLeftOutHasADefault) {
  std::string text = kGood;
  text.resize(text.find("[limits]"));
  Config c = read_config(write(text));
  EXPECT_EQ(c.max_data_bytes, uint64_t{256} << 20);
  EXPECT_EQ(c.blob_window_seconds, 600u);
  EXPECT_EQ(read_config(with("port = 8443\n", "")).port, 0);
}

TEST_F(ConfigTest, AnUnknownKeyIsNamed) {
  EXPECT_EQ(refusal(with("poll_ms = 250", "pol_ms = 250")),
            ": chain.pol_ms is not a known setting");
  EXPECT_EQ(refusal(with("[limits]", "[limit]")),
            ": limit.blob_window_seconds is not a known setting");
  EXPECT_EQ(refusal(write("stray = 1\n" + std::string(kGood))), ": stray is not inside a table");
}

TEST_F(ConfigTest, AMissingKeyIsNamed) {
  EXPECT_EQ(refusal(with("data_dir = \"data\"\n", "")), ": service.data_dir is missing");
  EXPECT_EQ(refusal(with("rpc_url = \"http://127.0.0.1:8545\"\n", "")),
            ": chain.rpc_url is missing");
  EXPECT_EQ(refusal(with("keystore = \"key.json\"\n", "")), ": operator.keystore is missing");
  EXPECT_EQ(refusal(with("name = \"Base\"", "name = \"\"")), ": model.name is missing");
  EXPECT_EQ(refusal(with("simulator_dir = \"simulator\"\n", "")),
            ": enclave.simulator_dir is missing");
  EXPECT_EQ(refusal(with("nodes = [\"http://127.0.0.1:5678\", \"http://127.0.0.1:5679\"]\n", "")),
            ": storage.nodes or storage.indexer is needed");
}

TEST_F(ConfigTest, AWrongTypeIsNamed) {
  EXPECT_EQ(refusal(with("port = 8443", "port = \"8443\"")), ": service.port has the wrong type");
  EXPECT_EQ(refusal(with("name = \"Base\"", "name = 7")), ": model.name has the wrong type");
  EXPECT_EQ(refusal(with("\"http://127.0.0.1:5679\"]", "7]")),
            ": storage.nodes must be a list of strings");
  EXPECT_EQ(refusal(with("nodes = [\"http://127.0.0.1:5678\", \"http://127.0.0.1:5679\"]",
                         "nodes = \"http://127.0.0.1:5678\"\nindexer = \"http://127.0.0.1:1\"")),
            ": storage.nodes must be a list of strings");
}

TEST_F(ConfigTest, ANumberOutOfRangeIsNamedWithItsBounds) {
  EXPECT_EQ(refusal(with("port = 8443", "port = 65536")),
            ": service.port must be between 0 and 65535");
  EXPECT_EQ(refusal(with("threads = 4", "threads = -1")),
            ": model.threads must be between 0 and 1024");
}

TEST_F(ConfigTest, ABadAddressIsNamed) {
  std::string error = refusal(with("00000000aa\"", "00000000\""));
  EXPECT_TRUE(error.starts_with(": chain.coordinator is not an address: ")) << error;
  error = refusal(with("00000000cc\"", "00000000zz\""));
  EXPECT_TRUE(error.starts_with(": operator.payee is not an address: ")) << error;
}

TEST_F(ConfigTest, ABadProviderIsNamedWithTheGoodOnes) {
  EXPECT_EQ(refusal(with("provider = \"simulator\"", "provider = \"trust-me\"")),
            ": enclave.provider must be \"auto\", \"configfs-tsm\", \"dstack\", \"tapp\" or "
            "\"simulator\"");
  EXPECT_EQ(refusal(with("provider = \"simulator\"", "provider = \"tapp\"")),
            ": enclave.app_id is missing");
}

TEST_F(ConfigTest, TextThatIsNotTomlIsShownWithItsLine) {
  std::string error = refusal(with("port = 8443", "port = = 8443"));
  EXPECT_TRUE(error.starts_with(":4: ")) << error;
}

TEST_F(ConfigTest, AMissingFileIsNamed) {
  fs::path file = folder_.path() / "absent.toml";
  std::string error = test::error_of([&] { read_config(file); });
  EXPECT_TRUE(error.starts_with("io: ")) << error;
  EXPECT_NE(error.find(file.string()), std::string::npos) << error;
}

TEST_F(ConfigTest, ComputeIsOffUnlessItIsThere) {
  EXPECT_FALSE(read_config(write(kGood)).compute.offered());
  const std::string tables =
      "\n[compute]\nledger = \"0x00000000000000000000000000000000000000dd\"\n"
      "fine_tuning = \"0x00000000000000000000000000000000000000ee\"\n";
  Config::Compute c = read_config(write(kGood + tables)).compute;
  EXPECT_TRUE(c.offered());
  EXPECT_EQ(c.max_fee, evm::parse_ether("1"));
  EXPECT_EQ(c.max_balance, evm::parse_ether("5"));
  c = read_config(write(kGood + tables + "max_fee = \"0.25\"\nclose = 1\n")).compute;
  EXPECT_EQ(c.max_fee, evm::parse_ether("0.25"));
  EXPECT_FALSE(c.offered());
  const auto error = [&](const std::string& line) {
    return test::error_of([&] { read_config(write(kGood + tables + line)); });
  };
  EXPECT_NE(error("max_fee = \"much\"\n").find("compute.max_fee"), std::string::npos);
  EXPECT_NE(error("max_fees = \"1\"\n").find("compute.max_fees"), std::string::npos);
  EXPECT_NE(test::error_of([&] {
              read_config(
                  write(std::string(kGood) +
                        "\n[compute]\nledger = \"0x00000000000000000000000000000000000000dd\"\n"));
            }).find("compute.fine_tuning"),
            std::string::npos);
}

}  // namespace
}  // namespace ffe::aggregator
