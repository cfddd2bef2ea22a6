// What nodes answer, right and wrong, from a server that is scripted answer by answer.
#include "evm/rpc.hpp"

#include "anvil.hpp"
#include "evm/sender.hpp"

namespace ffe::evm {
namespace {

using namespace test;

class Scripted {
 public:
  explicit Scripted(std::map<std::string, net::JsonRpcServer::Method> methods) {
    for (auto& [name, method] : methods) rpc_.on(name, method);
    rpc_.attach(server_);
    server_.start();
  }
  std::string url() const { return server_.url(); }

 private:
  net::JsonRpcServer rpc_;
  net::HttpServer server_;
};

const std::string kHash = "0x" + std::string(64, 'a');
const std::string kWho = "0x" + std::string(40, 'b');

Json log_json(uint64_t block, uint64_t index) {
  return {{"address", kWho},
          {"topics", {kHash}},
          {"data", "0x"},
          {"blockNumber", U256(block).to_hex_quantity()},
          {"blockHash", kHash},
          {"transactionHash", kHash},
          {"transactionIndex", "0x0"},
          {"logIndex", U256(index).to_hex_quantity()},
          {"removed", false},
          {"blockTimestamp", "0x1"}};
}

uint64_t quantity(const Json& filter, const char* key) {
  return U256::parse_quantity(filter.at(key).get<std::string>()).to_u64();
}

// Every revert as a node of some kind words it.
TEST(rpc, revert_data_of_many_nodes) {
  Bytes data = parse_error("error Missing(uint256 id)").encode({7});
  std::string hex = to_hex0x(data);
  auto found = [](int code, const char* message, Json extra) {
    return revert_data(net::JsonRpcError("x", code, message, std::move(extra)));
  };
  EXPECT_EQ(found(3, "execution reverted", hex), data);                      // geth, reth, anvil
  EXPECT_EQ(found(3, "execution reverted: why", hex), data);                 // geth
  EXPECT_EQ(found(-32000, "execution reverted", hex), data);                 // older geth
  EXPECT_EQ(found(-32015, "VM execution error.", "Reverted " + hex), data);  // OpenEthereum
  EXPECT_EQ(found(-32603, "Error: VM Exception while processing transaction: reverted with custom",
                  {{"message", "x"}, {"txHash", kHash}, {"data", hex}}),
            data);  // Hardhat
  EXPECT_EQ(found(-32000, "VM Exception: revert", {{"result", hex}}), data);
  EXPECT_EQ(found(3, "execution reverted", nullptr), Bytes{});
  EXPECT_EQ(found(3, "execution reverted", "0x"), Bytes{});
  EXPECT_EQ(found(-32000, "execution reverted", "0xzz"), Bytes{});
  EXPECT_EQ(found(-32000, "insufficient funds for gas * price + value", nullptr), std::nullopt);
  EXPECT_EQ(found(-32000, "gas required exceeds allowance", nullptr), std::nullopt);
  EXPECT_EQ(found(-32015, "VM execution error.", "Bad instruction"), std::nullopt);
}

TEST(rpc, reverts_are_named) {
  Bytes data = parse_error("error Missing(uint256 id)").encode({7});
  auto revert = [&](const Json&) -> Json {
    throw net::RpcFault(3, "execution reverted", to_hex0x(data));
  };
  Scripted node({{"eth_call", revert}, {"eth_estimateGas", revert}});
  auto registry = std::make_shared<AbiRegistry>();
  registry->add(ContractAbi::from_signatures({"error Missing(uint256 id)"}));
  RpcClient rpc(node.url(), {.net = {}, .errors = registry});
  try {
    rpc.read({}, parse_function("f()"), {});
    ADD_FAILURE();
  } catch (const RevertError& e) {
    EXPECT_EQ(e.code(), ErrorCode::kChain);
    EXPECT_EQ(e.name(), "Missing");
    EXPECT_EQ(e.reason(), "Missing(id=7)");
    EXPECT_EQ(e.data(), data);
    EXPECT_NE(std::string(e.what()).find("reverts: Missing(id=7)"), std::string::npos);
  }
  EXPECT_THROW(rpc.estimate_gas({}), RevertError);
}

TEST(rpc, answers_out_of_protocol) {
  Json answer;
  auto any = [&](const Json&) { return answer; };
  Scripted node({{"eth_blockNumber", any},
                 {"eth_getBlockByNumber", any},
                 {"eth_call", any},
                 {"eth_getTransactionReceipt", any},
                 {"eth_sendRawTransaction", any},
                 {"eth_getLogs", any}});
  RpcClient rpc(node.url());
  auto refused = [&](const std::function<void()>& ask, std::vector<Json> answers) {
    for (Json& one : answers) {
      answer = one;
      EXPECT_EQ(error_of(ask), ErrorCode::kNetwork) << one.dump();
    }
  };
  refused([&] { rpc.block_number(); },
          {1, nullptr, "1", "0x", "0x01", "0xg", "-0x1", "0x1 ", "0x1" + std::string(16, '0'),
           Json::array(), Json::object()});
  refused([&] { rpc.call({}); }, {1, nullptr, "0x1", "00", "0xzz", Json::array()});
  Json block = {{"number", "0x1"},    {"hash", kHash},     {"parentHash", kHash},
                {"timestamp", "0x1"}, {"gasLimit", "0x1"}, {"extra", 1}};
  std::vector<Json> broken(6, block);
  broken[0].erase("number");
  broken[1]["hash"] = "0x00";
  broken[2]["timestamp"] = 1;
  broken[3]["baseFeePerGas"] = "0x00";
  broken[4] = "0x1";
  broken[5]["number"] = nullptr;
  refused([&] { rpc.block(); }, broken);
  answer = block;
  EXPECT_EQ(rpc.latest_block().number, 1u);
  answer = nullptr;
  EXPECT_FALSE(rpc.block(uint64_t{9}));
  EXPECT_FALSE(rpc.receipt(h256_from_hex(kHash)));
  refused([&] { rpc.send_raw(Bytes{1}); }, {kHash, "0x", nullptr});
  refused(
      [&] {
        rpc.logs({{}, {}, 1, 2});
      },
      {nullptr, Json::array({1}), Json::array({log_json(3, 0)}), Json::array({log_json(0, 0)})});
  answer = Json::array({log_json(1, 0)});
  refused([&] { rpc.logs({{Address()}, {}, 1, 2}); }, {answer});
  refused([&] { rpc.logs({{}, {{H256()}}, 1, 2}); }, {answer});
  refused([&] { rpc.logs({{}, {{}, {H256()}}, 1, 2}); }, {answer});
  EXPECT_EQ(rpc.logs({{address_from_hex(kWho)}, {{h256_from_hex(kHash)}}, 1, 2}).size(), 1u);
}

TEST(rpc, receipts) {
  Json receipt = {{"transactionHash", kHash},
                  {"blockHash", kHash},
                  {"blockNumber", "0x5"},
                  {"status", "0x1"},
                  {"from", kWho},
                  {"to", nullptr},
                  {"contractAddress", kWho},
                  {"gasUsed", "0x5208"},
                  {"effectiveGasPrice", "0x7"},
                  {"logs", Json::array({log_json(5, 0)})},
                  {"type", "0x2"}};
  Scripted node({{"eth_getTransactionReceipt", [&](const Json&) { return receipt; }},
                 {"eth_blockNumber", [&](const Json&) { return "0x6"; }}});
  RpcClient rpc(node.url());
  Receipt got = *rpc.receipt(h256_from_hex(kHash));
  EXPECT_TRUE(got.success);
  EXPECT_EQ(got.gas_used, 21000u);
  EXPECT_EQ(got.contract_address, address_from_hex(kWho));
  EXPECT_FALSE(got.to);
  EXPECT_EQ(got.logs.size(), 1u);
  EXPECT_TRUE(rpc.confirmed_receipt(h256_from_hex(kHash), 2));
  EXPECT_FALSE(rpc.confirmed_receipt(h256_from_hex(kHash), 3));
  WaitOptions brief{.confirmations = 3,
                    .timeout = std::chrono::milliseconds(50),
                    .poll = std::chrono::milliseconds(10)};
  EXPECT_EQ(error_of([&] { rpc.wait_receipt(h256_from_hex(kHash), brief); }), ErrorCode::kChain);
  // Another transaction's receipt; one that is still pending.
  EXPECT_EQ(error_of([&] { rpc.receipt(H256()); }), ErrorCode::kNetwork);
  receipt["blockHash"] = nullptr;
  EXPECT_FALSE(rpc.receipt(h256_from_hex(kHash)));
}

// A provider that gives at most 7 blocks and at most 10 logs at once, three logs a block.
TEST(rpc, logs_page_by_page_within_a_providers_limits) {
  std::atomic<int> calls{0};
  auto logs = [&](const Json& params) -> Json {
    ++calls;
    uint64_t from = quantity(params[0], "fromBlock");
    uint64_t to = quantity(params[0], "toBlock");
    if (to - from + 1 > 7) throw net::RpcFault(-32000, "block range exceeds the max limit of 7");
    if ((to - from + 1) * 3 > 10)
      throw net::RpcFault(-32005, "query returned more than 10 results");
    Json out = Json::array();
    for (uint64_t n = 0; n <= to - from; ++n) {
      for (uint64_t i : {2, 0, 1}) out.push_back(log_json(from + n, i));
    }
    return out;
  };
  Scripted node({{"eth_getLogs", logs}, {"eth_blockNumber", [](const Json&) { return "0x64"; }}});
  RpcClient rpc(node.url());
  std::vector<Log> got = rpc.logs({{}, {}, 20, std::nullopt});
  ASSERT_EQ(got.size(), 81u * 3);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].block_number, 20 + i / 3);
    EXPECT_EQ(got[i].log_index, i % 3);
  }
  EXPECT_LT(calls, 60);
  EXPECT_TRUE(rpc.logs({{}, {}, 101, std::nullopt}).empty());
  EXPECT_EQ(rpc.logs({{}, {}, 7, 7}).size(), 3u);

  std::vector<uint64_t> ends;
  rpc.each_log_page({{}, {}, 1, 9},
                    [&](const std::vector<Log>&, uint64_t last) { ends.push_back(last); });
  EXPECT_EQ(ends.back(), 9u);

  RpcClient small(node.url(), {.net = {}, .errors = {}, .log_page = 3, .max_logs = 20});
  EXPECT_EQ(error_of([&] { small.logs({{}, {}, 1, 9}); }), ErrorCode::kChain);
  // The end of the number range does not wrap around.
  EXPECT_EQ(rpc.logs({{}, {}, UINT64_MAX - 4, UINT64_MAX}).size(), 15u);
}

TEST(rpc, refusals_and_silence) {
  Scripted node({{"eth_getLogs", [](const Json&) -> Json { throw net::RpcFault(-32000, "no"); }}});
  RpcClient rpc(node.url());
  EXPECT_EQ(error_of([&] { rpc.logs({{}, {}, 1, 50}); }), ErrorCode::kChain);
  EXPECT_EQ(error_of([&] { rpc.block_number(); }), ErrorCode::kChain);
  EXPECT_FALSE(rpc.max_priority_fee());
  EXPECT_THROW(rpc.raw("eth_blockNumber"), net::JsonRpcError);

  RpcClient nobody("http://127.0.0.1:1");
  EXPECT_EQ(error_of([&] { nobody.block_number(); }), ErrorCode::kNetwork);
  Sender sender(nobody, crypto::PrivateKey::generate());
  EXPECT_EQ(error_of([&] { sender.send({}, {}, 1); }), ErrorCode::kNetwork);
}

}  // namespace
}  // namespace ffe::evm
