// Network files: what is written is read again, and what would mislead is refused.
#include "client/network.hpp"

#include <cstdlib>
#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/json.hpp"
#include "support/error_of.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;

Network some_network() {
  Network n;
  n.name = "test";
  n.chain_id = 31337;
  n.rpc_url = "http://127.0.0.1:8545";
  n.coordinator.bytes.fill(0xaa);
  n.registry.bytes.fill(0xbb);
  n.inft.bytes.fill(0xcc);
  n.from_block = 7;
  n.storage_nodes = {"http://127.0.0.1:5678", "http://127.0.0.1:5679"};
  n.indexer_url = "http://127.0.0.1:12345";
  n.enclave_urls = {"http://127.0.0.1:7000"};
  n.development_root = Bytes{0x30, 0x82, 0x00, 0xff};
  n.releases.resize(2);
  n.releases[1].bytes.fill(0x42);
  return n;
}

class NetworkTest : public ::testing::Test {
 protected:
  NetworkTest() {
    // Names are looked up below the user's folders: give this test its own.
    setenv("XDG_CONFIG_HOME", (folder_.path() / "config").c_str(), 1);
    setenv("XDG_DATA_HOME", (folder_.path() / "data").c_str(), 1);
  }
  ~NetworkTest() override {
    unsetenv("XDG_CONFIG_HOME");
    unsetenv("XDG_DATA_HOME");
  }

  fs::path file() const { return folder_.path() / "network.json"; }
  // The good file after `change`.
  template <class F>
  std::string refusal(F&& change) const {
    write_network(file(), some_network());
    Json json = parse_json(read_text_file(file()), "network");
    change(json);
    write_file_atomic(file(), as_bytes(json.dump()));
    return test::error_of([&] { read_network(file()); });
  }

  TempDir folder_{"ffe-network"};
};

TEST_F(NetworkTest, WhatIsWrittenIsReadAgain) {
  Network n = some_network();
  write_network(file(), n);
  Network r = read_network(file());
  EXPECT_EQ(r.name, n.name);
  EXPECT_EQ(r.chain_id, n.chain_id);
  EXPECT_EQ(r.rpc_url, n.rpc_url);
  EXPECT_EQ(r.coordinator, n.coordinator);
  EXPECT_EQ(r.registry, n.registry);
  EXPECT_EQ(r.inft, n.inft);
  EXPECT_EQ(r.from_block, n.from_block);
  EXPECT_EQ(r.storage_nodes, n.storage_nodes);
  EXPECT_EQ(r.indexer_url, n.indexer_url);
  EXPECT_EQ(r.enclave_urls, n.enclave_urls);
  EXPECT_EQ(r.development_root, n.development_root);
  EXPECT_EQ(r.releases, n.releases);
}

TEST_F(NetworkTest, WithoutADevelopmentRootIntelIsMeant) {
  Network n = some_network();
  n.development_root.reset();
  n.chain_id = 16661;
  write_network(file(), n);
  EXPECT_FALSE(read_network(file()).development_root.has_value());
}

TEST_F(NetworkTest, ADevelopmentRootOnAnotherChainIsRefused) {
  for (uint64_t chain : {uint64_t{1}, uint64_t{16661}, uint64_t{16602}}) {
    std::string error = refusal([&](Json& j) { j["chainId"] = chain; });
    EXPECT_EQ(error, "usage: " + file().string() + ": a development root on chain " +
                         std::to_string(chain) + " proves nothing");
  }
}

TEST_F(NetworkTest, AMissingMemberIsNamed) {
  for (const char* key : {"name", "chainId", "rpcUrl", "coordinator", "registry", "inft",
                          "fromBlock", "storageNodes", "enclaveUrls", "releases"}) {
    std::string error = refusal([&](Json& j) { j.erase(key); });
    EXPECT_TRUE(error.starts_with("usage: " + file().string())) << error;
    EXPECT_NE(error.find(key), std::string::npos) << error;
  }
}

TEST_F(NetworkTest, AMemberOfTheWrongKindIsNamed) {
  const std::pair<const char*, Json> kinds[] = {{"chainId", "31337"},
                                                {"rpcUrl", 7},
                                                {"coordinator", "0x1234"},
                                                {"registry", "not hex"},
                                                {"inft", 0},
                                                {"storageNodes", Json::array({1})},
                                                {"storageNodes", "http://127.0.0.1:1"},
                                                {"enclaveUrls", 3},
                                                {"indexerUrl", 5},
                                                {"releases", Json::array({"0x12"})},
                                                {"developmentRoot", "zz"}};
  for (const auto& [key, value] : kinds) {
    std::string error = refusal([&, key = key, value = value](Json& j) { j[key] = value; });
    EXPECT_TRUE(error.starts_with("usage: " + file().string())) << key << ": " << error;
    EXPECT_NE(error.find(key), std::string::npos) << key << ": " << error;
  }
}

TEST_F(NetworkTest, TextThatIsNotJsonIsAUsageError) {
  write_file_atomic(file(), as_bytes("{\"name\":"));
  std::string error = test::error_of([&] { read_network(file()); });
  EXPECT_TRUE(error.starts_with("usage: ")) << error;
  EXPECT_NE(error.find(file().string()), std::string::npos) << error;
}

TEST_F(NetworkTest, IsFoundByPathAndByName) {
  write_network(file(), some_network());
  EXPECT_EQ(find_network(file().string()).name, "test");
  fs::create_directories(config_dir() / "networks");
  Network mine = some_network();
  mine.name = "the one by name";
  write_network(config_dir() / "networks" / "mine.json", mine);
  EXPECT_EQ(find_network("mine").name, "the one by name");
}

TEST_F(NetworkTest, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  fs::create_directories(config_dir() / "networks");
  write_network(config_dir() / "networks" / "galileo.json", some_network());
  write_file_atomic(config_dir() / "networks" / "notes.txt", as_bytes("no network"));
  EXPECT_EQ(test::error_of([] { find_network("galilei"); }), "usage: unknown network \"galilei\"");
  std::string hint = test::hint_of([] { find_network("galilei"); });
  EXPECT_TRUE(hint.starts_with("known: devnet, galileo;")) << hint;
}

TEST_F(NetworkTest, ADevnetThatDoesNotRunSaysHowToStartOne) {
  EXPECT_EQ(test::error_of([] { find_network("devnet"); }), "usage: no devnet is running");
  EXPECT_EQ(test::hint_of([] { find_network("devnet"); }), "start one: ffe devnet up");
  fs::create_directories(devnet_network_file().parent_path());
  write_network(devnet_network_file(), some_network());
  EXPECT_EQ(find_network("devnet").name, "test");
}

}  // namespace
}  // namespace ffe::client
