// Deployment on a real node, with the contracts that `make contracts` compiled.
#include "client/deploy.hpp"

#include <gtest/gtest.h>

#include "client/artifacts.hpp"
#include "evm/anvil.hpp"
#include "evm/contract.hpp"
#include "evm/create2.hpp"
#include "session/chain.hpp"
#include "support/error_of.hpp"

namespace ffe::client {
namespace {

using evm::test::Anvil;

class deploy_live : public ::testing::Test {
 protected:
  void SetUp() override {
    if (evm::test::find_anvil().empty()) GTEST_SKIP() << "anvil is not installed";
    if (!std::filesystem::exists(share_dir() / "contracts" / "FFECoordinator.json")) {
      GTEST_SKIP() << "the contracts are not compiled: make contracts";
    }
    options_.chain_id = 31337;
    options_.treasury.bytes[19] = 7;
    options_.on_contract = [this](std::string_view name, const Address&, bool existed) {
      told_.push_back(std::string(existed ? "found " : "deployed ") + std::string(name));
    };
  }

  DeployOptions options_;
  std::vector<std::string> told_;
};

TEST_F(deploy_live, addresses_follow_from_code_and_treasury) {
  Anvil anvil({"--disable-default-create2-deployer"});
  evm::RpcClient rpc(anvil.url(), session::rpc_options());
  evm::Sender sender(rpc, Anvil::key(0));
  Deployment first = deploy(sender, options_);
  EXPECT_EQ(told_,
            (std::vector<std::string>{"deployed DcapVerifier", "deployed EnclaveRegistry",
                                      "deployed ERC7857Verifier", "deployed FFECoordinator"}));
  session::Coordinator coordinator(rpc, first.coordinator);
  EXPECT_EQ(coordinator.registry(), first.registry);
  EXPECT_EQ(coordinator.inft(), first.inft);
  session::Registry registry(rpc, first.registry);
  EXPECT_FALSE(registry.development());  // Intel's root
  EXPECT_EQ(registry.dcap_verifier(), first.dcap_verifier);
  EXPECT_GT(first.block, 0u);

  told_.clear();
  evm::Sender other(rpc, Anvil::key(1));
  Deployment again = deploy(other, options_);
  EXPECT_EQ(to_json(again), to_json(first));  // the block, too: found by search
  EXPECT_EQ(told_.front(), "found DcapVerifier");
  EXPECT_EQ(told_.size(), 4u);

  options_.treasury.bytes[19] = 8;
  Deployment with_other_treasury = deploy(other, options_);
  EXPECT_EQ(with_other_treasury.registry, first.registry);
  EXPECT_NE(with_other_treasury.coordinator, first.coordinator);

  // A refusal is told in the contract's own words.
  auto abi = session::coordinator_abi();
  evm::Contract contract(rpc, first.coordinator, abi);
  try {
    contract.send(sender, "seal", {99});
    FAIL() << "sealed a session that does not exist";
  } catch (const evm::RevertError& e) {
    EXPECT_EQ(e.name(), "UnknownSession");
    EXPECT_EQ(e.reason(), "UnknownSession(sessionId=99)");
  }
  // The payee's word for an enclave, and its bond.
  H256 enclave;
  enclave.bytes[0] = 1;
  EXPECT_FALSE(coordinator.backs(sender.address(), enclave));
  coordinator.back_enclave(sender, enclave, true);
  EXPECT_TRUE(coordinator.backs(sender.address(), enclave));
  coordinator.deposit_bond(other, sender.address(), 5);
  coordinator.withdraw_bond(sender, 2, other.address());
  EXPECT_EQ(coordinator.bond(sender.address()).total, evm::U256(3));
}

TEST_F(deploy_live, chains_are_checked) {
  Anvil anvil({"--chain-id", "16602"});
  evm::RpcClient rpc(anvil.url());
  evm::Sender sender(rpc, Anvil::key(0));
  EXPECT_EQ(test::error_of([&] { deploy(sender, options_); }),
            "usage: the endpoint is chain 16602 (galileo), not 31337 (devnet)");
  options_.chain_id = 16602;
  options_.development_root = Bytes{1, 2, 3};
  EXPECT_EQ(test::error_of([&] { deploy(sender, options_); }),
            "usage: a development attestation root on chain 16602 (galileo) would prove nothing");
  options_.development_root.reset();
  options_.treasury = {};
  EXPECT_EQ(test::error_of([&] { deploy(sender, options_); }),
            "usage: the treasury must not be the zero address");
}

TEST(chains, have_names) {
  EXPECT_EQ(find_chain("galileo").id, 16602u);
  EXPECT_EQ(find_chain("aristotle").id, 16661u);
  EXPECT_EQ(find_chain("devnet").id, 31337u);
  EXPECT_EQ(test::error_of([] { find_chain("mainnet"); }), "usage: unknown network \"mainnet\"");
}

}  // namespace
}  // namespace ffe::client
