// The room against a real node: anvil, in its own process.
#include "anvil.hpp"
#include "crypto/address.hpp"
#include "crypto/keccak.hpp"
#include "evm/contract.hpp"
#include "evm/create2.hpp"
#include "evm/erc20.hpp"
#include "evm/sender.hpp"

namespace ffe::evm {
namespace {

using namespace test;
using std::chrono::milliseconds;

class live : public ::testing::Test {
 protected:
  void SetUp() override {
    if (find_anvil().empty()) {
      GTEST_SKIP() << "anvil is not installed: set FFE_ANVIL or run npm ci in contracts/";
    }
    anvil_ = std::make_unique<Anvil>();
    rpc_ = std::make_unique<RpcClient>(anvil_->url());
    fs::path path = fs::path(FFE_SOURCE_DIR) / "tests" / "vectors" / "evm" / "Probe.json";
    artifact_ = parse_json(read_text_file(path), "Probe.json");
    abi_ = std::make_shared<ContractAbi>(ContractAbi::from_json(artifact_));
    auto registry = std::make_shared<AbiRegistry>();
    registry->add(*abi_);
    options_.errors = registry;
    options_.wait.poll = milliseconds(50);
    options_.on_sent = [this](const H256& hash, const std::optional<H256>& replaced) {
      std::lock_guard lock(mutex_);
      sent_.emplace_back(hash, replaced);
    };
  }

  Contract deploy(RpcClient& rpc, Sender& sender) {
    Receipt receipt = sender.deploy(creation_code(artifact_, {100}));
    return {rpc, *receipt.contract_address, abi_};
  }

  size_t sent_count() {
    std::lock_guard lock(mutex_);
    return sent_.size();
  }
  void wait_for_sent(size_t count) {
    for (int i = 0; i < 1000 && sent_count() < count; ++i) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    ASSERT_GE(sent_count(), count);
  }
  void automine(bool on) { rpc_->raw("evm_setAutomine", Json::array({on})); }
  Json transaction(const H256& hash) {
    return rpc_->raw("eth_getTransactionByHash", Json::array({to_hex0x(hash.bytes)}));
  }

  std::unique_ptr<Anvil> anvil_;
  std::unique_ptr<RpcClient> rpc_;
  Json artifact_;
  std::shared_ptr<const ContractAbi> abi_;
  SenderOptions options_;
  std::mutex mutex_;
  std::vector<std::pair<H256, std::optional<H256>>> sent_;
};

TEST_F(live, deploy_write_read_and_logs) {
  Sender sender(*rpc_, Anvil::key(0), options_);
  EXPECT_EQ(rpc_->chain_id(), 31337u);
  EXPECT_EQ(rpc_->balance(sender.address()), parse_ether("10000"));
  Contract probe = deploy(*rpc_, sender);
  EXPECT_EQ(probe.address(), create_address(sender.address(), 0));
  EXPECT_EQ(probe.call("limit")[0].as_u64(), 100u);

  for (uint64_t key = 1; key <= 5; ++key) {
    Receipt receipt = probe.send(sender, "store", {key, key * 10, "größe"}, key);
    EXPECT_TRUE(receipt.success);
    std::vector<DecodedLog> events = probe.decode(receipt.logs);
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].event->name, "Stored");
    EXPECT_EQ(events[0].arguments["who"].as_address(), sender.address());
    EXPECT_EQ(events[0].arguments["key"].as_u64(), key);
    EXPECT_EQ(events[0].arguments["note"].as_string(), "größe");
    U256 tip = U256::parse_quantity(
        transaction(receipt.tx_hash).at("maxPriorityFeePerGas").get<std::string>());
    EXPECT_GE(tip, U256(2 * kGwei));
  }
  EXPECT_EQ(rpc_->balance(probe.address()), U256(15));
  Value entries = probe.call("entries", {list({3, 4})});
  EXPECT_EQ(entries["count"].as_u64(), 2u);
  EXPECT_EQ(entries["list"][1]["value"].as_u64(), 40u);
  EXPECT_EQ(probe.call("values", {4}, rpc_->block_number() - 2)[0].as_u64(), 0u);

  EXPECT_EQ(probe.logs("Stored", 0).size(), 5u);
  EXPECT_EQ(probe.logs("Stored", 0, std::nullopt, {std::nullopt, 4}).size(), 1u);
  EXPECT_EQ(probe.logs("Stored", 0, std::nullopt, {Address()}).size(), 0u);
}

TEST_F(live, reverts_are_foreseen_and_named) {
  Sender sender(*rpc_, Anvil::key(0), options_);
  Contract probe = deploy(*rpc_, sender);
  size_t before = sent_count();
  auto revert_of = [&](const char* function, const Values& arguments) {
    try {
      probe.send(sender, function, arguments);
    } catch (const RevertError& e) {
      EXPECT_EQ(e.code(), ErrorCode::kChain);
      EXPECT_FALSE(e.tx_hash());
      return e.name() + "|" + e.reason();
    }
    return std::string("no revert");
  };
  EXPECT_EQ(revert_of("store", {1, 101, ""}), "TooLarge|TooLarge(value=101, limit=100)");
  EXPECT_EQ(revert_of("fail", {"not today"}), "Error|not today");
  EXPECT_EQ(revert_of("increment", {U256::max()}),
            "Panic|Panic(0x11): arithmetic overflow or underflow");
  EXPECT_EQ(sent_count(), before);  // nothing was paid for
  EXPECT_EQ(error_of([&] { sender.deploy(creation_code(artifact_, {0})); }), ErrorCode::kChain);
  EXPECT_EQ(error_of([&] { probe.call("fail", {"x"}); }), ErrorCode::kChain);

  EXPECT_EQ(error_of([&] { rpc_->read(Address(), abi_->function("limit"), {}); }),
            ErrorCode::kChain);
  Sender poor(*rpc_, crypto::PrivateKey::generate(), options_);
  EXPECT_EQ(error_of([&] { poor.send(probe.address(), {}, 1); }), ErrorCode::kChain);
}

// The estimate was made under a limit of 100; a transaction that is mined first lowers it.
TEST_F(live, a_revert_in_the_block_is_named) {
  Sender sender(*rpc_, Anvil::key(0), options_);
  Contract probe = deploy(*rpc_, sender);
  automine(false);
  // Its estimate does not see the transaction that waits in the pool.
  Relay relay(
      anvil_->url(),
      {{"eth_estimateGas", [](const Json&, const Relay::Forward&) { return Json("0x30d40"); }}});
  RpcClient rpc(relay.url());
  Sender unaware(rpc, Anvil::key(0), options_);
  options_.min_priority_fee = U256(50 * kGwei);  // to stand first in the block
  Sender first(*rpc_, Anvil::key(1), options_);
  size_t before = sent_count();
  std::thread lowers([&] { probe.send(first, "setLimit", {1}); });
  wait_for_sent(before + 1);
  std::thread miner([&] {
    wait_for_sent(before + 2);
    rpc_->raw("evm_mine");
  });
  try {
    probe.send(unaware, "store", {1, 50, ""});
    ADD_FAILURE();
  } catch (const RevertError& e) {
    EXPECT_EQ(e.reason(), "TooLarge(value=50, limit=1)");
    EXPECT_TRUE(e.tx_hash());
    EXPECT_NE(std::string(e.what()).find("reverted in block"), std::string::npos);
  }
  lowers.join();
  miner.join();
}

TEST_F(live, a_stuck_transaction_is_replaced) {
  options_.stuck_after = milliseconds(300);
  Sender sender(*rpc_, Anvil::key(0), options_);
  automine(false);
  std::thread miner([&] {
    wait_for_sent(3);
    rpc_->raw("evm_mine");
  });
  Receipt receipt = sender.send(Address::from(Bytes(20, 7)), {}, 5);
  miner.join();
  ASSERT_GE(sent_.size(), 3u);
  EXPECT_EQ(sent_[1].second, sent_[0].first);
  EXPECT_EQ(sent_[2].second, sent_[1].first);
  EXPECT_EQ(receipt.tx_hash, sent_[2].first);
  EXPECT_EQ(rpc_->balance(Address::from(Bytes(20, 7))), U256(5));
  EXPECT_EQ(rpc_->transaction_count(sender.address()), 1u);
}

TEST_F(live, a_nonce_taken_by_another_program_is_reported) {
  options_.stuck_after = milliseconds(200);
  Sender sender(*rpc_, Anvil::key(0), options_);
  automine(false);
  std::thread rival([&] {
    wait_for_sent(1);
    Transaction t;
    t.chain_id = 31337;
    t.gas_limit = 21000;
    t.to = Address();
    t.max_fee_per_gas = t.max_priority_fee_per_gas = U256(400 * kGwei);
    rpc_->send_raw(sign_transaction(t, Anvil::key(0)).raw);
    rpc_->raw("evm_mine");
  });
  EXPECT_EQ(error_of([&] { sender.send(Address(), {}, 1); }), ErrorCode::kChain);
  rival.join();
  automine(true);
  EXPECT_TRUE(sender.send(Address(), {}, 1).success);  // and the next one counts on from there
}

TEST_F(live, time_over_and_fee_limits) {
  automine(false);
  options_.wait.timeout = milliseconds(200);
  Sender sender(*rpc_, Anvil::key(0), options_);
  EXPECT_EQ(error_of([&] { sender.send(Address(), {}, 1); }), ErrorCode::kChain);
  options_.max_fee_cap = U256(kGwei);
  Sender thrifty(*rpc_, Anvil::key(1), options_);
  size_t before = sent_count();
  EXPECT_EQ(error_of([&] { thrifty.send(Address(), {}, 1); }), ErrorCode::kChain);
  EXPECT_EQ(sent_count(), before);
}

TEST_F(live, many_threads_share_one_account) {
  Sender one(*rpc_, Anvil::key(0), options_);
  Sender two(*rpc_, Anvil::key(0), options_);
  Contract probe = deploy(*rpc_, one);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 5; ++i) {
        EXPECT_TRUE(probe.send(t % 2 == 0 ? one : two, "store", {t * 5 + i, 1, ""}).success);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rpc_->transaction_count(one.address()), 41u);
  EXPECT_EQ(probe.logs("Stored", 0).size(), 40u);
}

TEST_F(live, confirmations_are_waited_for) {
  options_.wait.confirmations = 3;
  Sender sender(*rpc_, Anvil::key(0), options_);
  std::thread miner([&] {
    wait_for_sent(1);
    for (int i = 0; i < 2; ++i) {
      std::this_thread::sleep_for(milliseconds(150));
      rpc_->raw("evm_mine");
    }
  });
  Receipt receipt = sender.send(Address(), {}, 1);
  EXPECT_GE(rpc_->block_number(), receipt.block_number + 2);
  miner.join();
}

// 0G's pool refuses tips below 2 gwei by these words; here 9 gwei, so that the first bid is too
// low.
TEST_F(live, a_pool_with_a_minimum_tip) {
  Relay picky(anvil_->url(),
              {{"eth_sendRawTransaction", [](const Json& p, const Relay::Forward& on) {
                  SignedTransaction t = decode_transaction(from_hex(p[0].get<std::string>()));
                  if (t.transaction.max_priority_fee_per_gas < U256(9 * kGwei)) {
                    throw net::RpcFault(-32000,
                                        "transaction gas price below minimum: gas "
                                        "tip cap 2, minimum needed 9000000000");
                  }
                  return on(p);
                }}});
  RpcClient rpc(picky.url());
  options_.min_priority_fee = U256(5 * kGwei);
  EXPECT_TRUE(Sender(rpc, Anvil::key(0), options_).send(Address(), {}, 1).success);
}

TEST_F(live, lost_answers_do_not_send_twice) {
  std::atomic<int> lost{0};
  auto drop_once = [&](const Json& p, const Relay::Forward& on) -> Json {
    Json answer = on(p);
    if (lost++ == 0) return nullptr;  // delivered, but the answer is garbage
    return answer;
  };
  Relay relay(anvil_->url(), {{"eth_sendRawTransaction", drop_once}});
  RpcClient rpc(relay.url());
  Sender sender(rpc, Anvil::key(0), options_);
  EXPECT_TRUE(sender.send(Address::from(Bytes(20, 9)), {}, 3).success);
  EXPECT_EQ(rpc_->transaction_count(sender.address()), 1u);
  EXPECT_EQ(rpc_->balance(Address::from(Bytes(20, 9))), U256(3));
}

// Another program used the nonce that the node's count has not caught up with.
TEST_F(live, nonces_are_synchronised_again) {
  Sender ahead(*rpc_, Anvil::key(0), options_);
  ahead.send(Address(), {}, 1);
  std::atomic<int> stale{2};
  auto behind = [&](const Json& p, const Relay::Forward& on) -> Json {
    return stale-- > 0 ? Json("0x0") : on(p);
  };
  Relay relay(anvil_->url(), {{"eth_getTransactionCount", behind}});
  RpcClient rpc(relay.url());
  Sender sender(rpc, Anvil::key(0), options_);
  EXPECT_TRUE(sender.send(Address(), {}, 1).success);
  EXPECT_EQ(rpc_->transaction_count(sender.address()), 2u);
}

TEST_F(live, a_legacy_chain) {
  auto without_base_fee = [](const Json& p, const Relay::Forward& on) -> Json {
    Json block = on(p);
    block.erase("baseFeePerGas");
    return block;
  };
  Relay relay(anvil_->url(), {{"eth_getBlockByNumber", without_base_fee}});
  RpcClient rpc(relay.url());
  Receipt receipt = Sender(rpc, Anvil::key(0), options_).send(Address(), {}, 1);
  EXPECT_EQ(transaction(receipt.tx_hash).at("type"), "0x0");
}

TEST_F(live, the_node_dies_while_a_receipt_is_awaited) {
  automine(false);
  options_.wait.poll = milliseconds(20);
  Sender sender(*rpc_, Anvil::key(0), options_);
  std::thread killer([&] {
    wait_for_sent(1);
    anvil_->stop();
  });
  EXPECT_EQ(error_of([&] { sender.send(Address(), {}, 1); }), ErrorCode::kNetwork);
  killer.join();
  EXPECT_EQ(error_of([&] { sender.send(Address(), {}, 1); }), ErrorCode::kNetwork);
}

Json token_artifact() {
  fs::path path = fs::path(FFE_SOURCE_DIR) / "tests" / "vectors" / "evm" / "Token.json";
  return parse_json(read_text_file(path), "Token.json");
}

TEST_F(live, the_create2_proxy_is_created_where_it_is_missing) {
  Anvil bare({"--disable-default-create2-deployer"});
  RpcClient rpc(bare.url());
  ASSERT_TRUE(rpc.code(create2_proxy()).empty());
  Sender sender(rpc, Anvil::key(0), options_);
  ensure_create2_proxy(sender);
  ensure_create2_proxy(sender);
  EXPECT_FALSE(rpc.code(create2_proxy()).empty());

  H256 salt = crypto::keccak256(as_bytes("salt"));
  Bytes init = creation_code(token_artifact(), {"USDC", 6, 0});
  Created first = create2(sender, salt, init);
  EXPECT_EQ(first.address, create2_address(create2_proxy(), salt, crypto::keccak256(init)));
  ASSERT_TRUE(first.receipt);
  Created again = create2(sender, salt, init);
  EXPECT_EQ(again.address, first.address);
  EXPECT_FALSE(again.receipt);  // nothing was sent

  // On another chain, from another account: the same address.
  Sender other(*rpc_, Anvil::key(1), options_);
  EXPECT_EQ(create2(other, salt, init).address, first.address);
  // A constructor that reverts is foreseen.
  EXPECT_EQ(error_of([&] { create2(sender, salt, creation_code(artifact_, {0})); }),
            ErrorCode::kChain);
}

TEST_F(live, erc20_amounts_carry_their_name_and_address) {
  Sender sender(*rpc_, Anvil::key(0), options_);
  auto token = [&](const char* symbol, uint64_t decimals) {
    return *sender.deploy(creation_code(token_artifact(), {symbol, decimals, 0})).contract_address;
  };
  Address usdc = token("USDC", 6);
  Currency currency = currency_of(*rpc_, usdc);
  EXPECT_EQ(currency.text(U256(5'250'000)),
            "5.25 USDC (ERC-20 " + crypto::checksum_address(usdc) + ")");
  EXPECT_EQ(balance_of(*rpc_, currency, sender.address()), U256::parse("1" + std::string(30, '0')));
  EXPECT_EQ(currency_of(*rpc_, Address()).text(parse_ether("0.5")), "0.5 0G");
  // What a token says of itself reaches a terminal: nothing but short plain text passes.
  EXPECT_EQ(currency_of(*rpc_, token("\x1b[2J", 6)).symbol, "tokens");
  EXPECT_EQ(currency_of(*rpc_, token("", 6)).symbol, "tokens");
  EXPECT_EQ(currency_of(*rpc_, token("seventeen_letters", 6)).symbol, "tokens");
  EXPECT_EQ(currency_of(*rpc_, token("A", 78)).decimals, 0);
  // A contract that is no token, and no contract at all.
  Contract probe = deploy(*rpc_, sender);
  EXPECT_EQ(currency_of(*rpc_, probe.address()).symbol, "tokens");
  EXPECT_EQ(error_of([&] { currency_of(*rpc_, sender.address()); }), ErrorCode::kChain);
}

TEST_F(live, erc20_approvals_are_exact) {
  Sender sender(*rpc_, Anvil::key(0), options_);
  Address spender = crypto::PrivateKey::generate().address();
  auto token = [&](uint64_t mood) {
    return Erc20(*rpc_,
                 *sender.deploy(creation_code(token_artifact(), {"T", 18, mood})).contract_address);
  };
  for (uint64_t mood : {0, 1}) {
    Erc20 plain = token(mood);
    EXPECT_TRUE(plain.allow(sender, spender, 7));
    EXPECT_EQ(plain.allowance(sender.address(), spender), U256(7));
    EXPECT_FALSE(plain.allow(sender, spender, 7));  // enough already
    EXPECT_FALSE(plain.allow(sender, spender, 6));
    EXPECT_TRUE(plain.allow(sender, spender, 9));
    EXPECT_EQ(plain.allowance(sender.address(), spender), U256(9));
  }
  EXPECT_EQ(error_of([&] { token(2).allow(sender, spender, 7); }), ErrorCode::kChain);
}

}  // namespace
}  // namespace ffe::evm
