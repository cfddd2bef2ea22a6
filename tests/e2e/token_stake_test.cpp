// A session whose stakes are in an ERC-20, on a whole local network with the real base model: the
// client approves, submits, replaces, withdraws and claims; the enclave slashes.
#include <chrono>
#include <gtest/gtest.h>
#include <thread>

#include "base/file.hpp"
#include "client/client.hpp"
#include "crypto/random.hpp"
#include "devnet/demo_data.hpp"
#include "devnet/devnet.hpp"
#include "evm/contract_abi.hpp"
#include "lm/weights.hpp"
#include "support/error_of.hpp"

namespace ffe::devnet {
namespace {

namespace fs = std::filesystem;
using client::Client;

const evm::U256 kStake(5'000'000);  // 5 tokens of six decimals
constexpr uint16_t kSlashBps = 2500;

class TokenStake : public ::testing::Test {
 protected:
  void SetUp() override {
    if (lm::default_model_path().empty()) GTEST_SKIP() << "NO MODEL: make model";
    DevnetOptions options;
    options.dir = folder_.path() / "network";
    net_ = std::make_unique<Devnet>(options);
    DemoDataOptions rows;
    rows.rows_per_party = 64;
    rows.pool_rows = 136;
    data_ = make_demo_data(folder_.path() / "rows", rows);
    opener_ = new_client();
    fs::path artifact = fs::path(FFE_SOURCE_DIR) / "tests" / "vectors" / "evm" / "Token.json";
    evm::Receipt made = opener_->sender().deploy(evm::creation_code(
        parse_json(read_text_file(artifact), "Token.json"), {"USDC", 6, 0}, "Token"));
    token_ = *made.contract_address;
  }

  std::unique_ptr<Client> new_client() {
    crypto::PrivateKey key = crypto::PrivateKey::generate();
    net_->fund(key.address(), evm::parse_ether("10"));
    return std::make_unique<Client>(net_->network(), key);
  }
  void give_tokens(const Address& to, const evm::U256& amount) {
    static const evm::Function transfer =
        evm::parse_function("function transfer(address, uint256)");
    opener_->sender().send(token_, transfer, {to, amount});
  }
  evm::U256 tokens_of(const Address& owner) {
    return evm::Erc20(opener_->rpc(), token_).balance(owner);
  }
  evm::U256 open(std::vector<Address> participants) {
    client::OpenRequest request;
    request.enclave_url = net_->enclave_url();
    request.participants = std::move(participants);
    request.pool = data_.pool;
    request.sample = data_.sample;
    request.recipe.numeric_path = "auto";
    request.recipe.epochs = 1;
    request.recipe.tokens_per_step = 512;
    request.recipe.sequence_length = 128;
    request.gate.statistic = 2;
    request.gate.eval_pairs = 32;
    request.quorum = 3;
    request.stake_token = token_;
    request.stake = kStake;
    request.slash_bps_invalid = kSlashBps;
    return opener_->open_session(request).session_id;
  }
  // Bytes that match their root and are no blob. No client would send them.
  void submit_garbage(Client& who, const evm::U256& session) {
    Bytes garbage(2000);
    crypto::random_bytes(garbage);
    const H256 root = who.storage().upload(garbage, who.sender()).root;
    evm::Erc20(who.rpc(), token_).allow(who.sender(), who.coordinator().address(), kStake);
    crypto::PublicKey key = who.sender().key().public_key();
    who.coordinator().submit(who.sender(), session, root, Bytes(key.begin(), key.end()), 0);
  }
  session::SessionState wait_for_end(const evm::U256& session) {
    while (true) {
      net_->check();
      session::SessionState state = opener_->coordinator().view(session).state;
      if (state != session::SessionState::kOpen && state != session::SessionState::kSealed) {
        return state;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  TempDir folder_{"ffe-token-stake"};
  std::unique_ptr<Devnet> net_;
  DemoData data_;
  std::unique_ptr<Client> opener_;
  Address token_;
};

TEST_F(TokenStake, ApproveSubmitSlashAndClaim) {
  auto alice = new_client(), bob = new_client(), mallory = new_client();
  const evm::U256 session = open({alice->address(), bob->address(), mallory->address()});
  const fs::path rows = data_.parties[0].file;

  // Told before anything is encrypted: the account has no tokens.
  EXPECT_EQ(test::error_of([&] { alice->submit(session, rows); }),
            "chain: the stake is 5 USDC (ERC-20 " + crypto::checksum_address(token_) + "); " +
                crypto::checksum_address(alice->address()) + " has 0");
  for (Client* who : {alice.get(), bob.get(), mallory.get()}) {
    give_tokens(who->address(), evm::U256(7'000'000));
  }

  client::SubmitResult first = alice->submit(session, rows);
  EXPECT_TRUE(first.approval_tx_hash);
  EXPECT_EQ(first.currency.text(first.stake),
            "5 USDC (ERC-20 " + crypto::checksum_address(token_) + ")");
  EXPECT_EQ(tokens_of(alice->address()), evm::U256(2'000'000));
  evm::Erc20 erc20(opener_->rpc(), token_);
  const Address coordinator = opener_->coordinator().address();
  EXPECT_TRUE(erc20.allowance(alice->address(), coordinator).is_zero()) << "exactly the stake";
  client::SubmitResult second = alice->submit(session, rows);
  EXPECT_TRUE(second.replaced);
  EXPECT_FALSE(second.approval_tx_hash);
  EXPECT_EQ(tokens_of(alice->address()), evm::U256(2'000'000)) << "no second stake";
  alice->withdraw(session);
  EXPECT_EQ(tokens_of(alice->address()), evm::U256(7'000'000));
  EXPECT_TRUE(alice->submit(session, rows).approval_tx_hash);

  bob->submit(session, data_.parties[1].file);
  submit_garbage(*mallory, session);
  EXPECT_EQ(tokens_of(coordinator), evm::U256(15'000'000));
  ASSERT_EQ(wait_for_end(session), session::SessionState::kSettled);

  client::Status status = opener_->status(session);
  ASSERT_EQ(status.slashes.size(), 1u);
  const session::SlashRecord& slash = status.slashes[0];
  EXPECT_EQ(slash.contributor, mallory->address());
  EXPECT_EQ(session::reason_from_number(slash.reason), session::Reason::kInvalid);
  EXPECT_EQ(slash.amount, evm::U256(1'250'000));
  EXPECT_TRUE(slash.reward.is_zero()) << "gas is not paid back in tokens";
  EXPECT_EQ(opener_->inft().tokens_of(session).size(), 2u);

  for (Client* who : {alice.get(), bob.get()}) {
    who->claim(session);
    EXPECT_EQ(tokens_of(who->address()), evm::U256(7'000'000));
  }
  mallory->claim(session);
  EXPECT_EQ(tokens_of(mallory->address()), evm::U256(5'750'000));
  EXPECT_EQ(tokens_of(coordinator), slash.amount);
  evm::Contract contract(opener_->rpc(), coordinator, session::coordinator_abi());
  contract.send(opener_->sender(), "collect", {session::kBurnAddress, token_});
  EXPECT_EQ(tokens_of(session::kBurnAddress), slash.amount);
  EXPECT_TRUE(tokens_of(coordinator).is_zero());
}

}  // namespace
}  // namespace ffe::devnet
