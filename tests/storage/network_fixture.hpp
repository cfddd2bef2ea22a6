// A chain, nodes and a client over real sockets.
#pragma once

#include <gtest/gtest.h>
#include <random>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "net/json_rpc.hpp"
#include "storage/client.hpp"
#include "storage/flow.hpp"
#include "storage/local_chain.hpp"
#include "storage/node.hpp"
#include "storage/wire.hpp"

namespace ffe::storage::testing {

inline Bytes random_data(uint64_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t word = random();
    std::memcpy(out.data() + at, &word, std::min<size_t>(8, size - at));
  }
  return out;
}

class Network : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = missing_tools(); !missing.empty()) {
      GTEST_SKIP() << "NOT RUN: " << missing;
    }
    chain_ = std::make_unique<LocalChain>();
    flow_ = chain_->deploy_flow();
  }

  NodeOptions node_options(const std::string& name) {
    NodeOptions o;
    o.dir = dir_.path() / name;
    o.rpc_url = chain_->url();
    o.flow_address = flow_;
    o.port = 0;
    o.poll_ms = 20;
    return o;
  }

  std::unique_ptr<Node> start(NodeOptions options) {
    auto node = std::make_unique<Node>(std::move(options));
    node->start();
    return node;
  }

  ClientOptions client_options(const std::vector<std::string>& nodes) {
    ClientOptions o;
    o.rpc_url = chain_->url();
    o.nodes = nodes;
    o.poll_ms = 20;
    return o;
  }

  UploadResult upload(const std::vector<std::string>& nodes, ByteView data) {
    return Client(client_options(nodes)).upload(data, chain_->sender());
  }

  Bytes download(const std::vector<std::string>& nodes, const H256& root) {
    return Client(client_options(nodes)).download(root, size_t{1} << 30);
  }

  uint64_t submissions() {
    return chain_->rpc().read(flow_, flow_abi().function("numSubmissions"), {})[0].as_u64();
  }

  static Json call(const std::string& url, std::string_view method, Json params = Json::array()) {
    return net::JsonRpcClient(url).call(method, std::move(params));
  }

  // "code message data" of the error that a call must end with.
  static std::string error_of(const std::string& url, std::string_view method, Json params) {
    try {
      return "no error: " + call(url, method, std::move(params)).dump().substr(0, 100);
    } catch (const net::JsonRpcError& e) {
      const std::string data = e.data.is_string() ? " | " + e.data.get<std::string>() : "";
      return std::to_string(e.rpc_code) + " " + e.rpc_message + data;
    }
  }

  // Waits until the node has followed the chain up to `seq` transactions.
  static void wait_for_tx(const std::string& url, uint64_t seq) {
    for (int i = 0; i < 500; ++i) {
      if (call(url, "zgs_getStatus")["nextTxSeq"].get<uint64_t>() >= seq) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    FAIL() << "the node does not see transaction " << seq;
  }

  TempDir dir_{"ffe-storage"};
  std::unique_ptr<LocalChain> chain_;
  Address flow_;
};

}  // namespace ffe::storage::testing
