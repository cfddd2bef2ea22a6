// The operator shows the enclave a chain of his own making, on which he is whoever he wants to be.
#include <gtest/gtest.h>

#include "base/hex.hpp"
#include "session/chain.hpp"
#include "world.hpp"

namespace ffe::sessions {
namespace {

// On a chain of his own the host sends transactions in anybody's name.
void submit_in_the_name_of(World& world, const Address& victim, const H256& blob_root,
                           const crypto::PublicKey& owner_key) {
  const std::string who = to_hex0x(victim.bytes);
  evm::RpcClient& rpc = world.net().rpc();
  rpc.raw("anvil_impersonateAccount", {who});
  const Bytes data = session::coordinator_abi()->function("submit").encode_call(
      {world.session_id(), blob_root, Bytes(owner_key.begin(), owner_key.end())});
  rpc.raw("eth_sendTransaction", {{{"from", who},
                                   {"to", to_hex0x(world.opener().coordinator().address().bytes)},
                                   {"data", to_hex0x(data)},
                                   {"value", evm::parse_ether("0.5").to_hex_quantity()}}});
  rpc.raw("anvil_stopImpersonatingAccount", {who});
}

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const evm::RevertError& e) {
    return e.name();
  }
  return "accepted";
}

TEST(FalseChain, GetsNoStakeNoTokenAndNoPlace) {
  World world(learned_model());
  world.open(3);
  world.submit(0, "alice.jsonl");
  world.submit(1, "bob.jsonl");
  const Address victim = world.party(2).address();
  const crypto::PublicKey victims_key = world.party(2).sender().key().public_key();
  world.save();

  // There: the host takes the third place with bytes of his own.
  world.restore();
  const Bytes noise = noise_blob();
  const H256 root = world.opener().storage().upload(noise, world.opener().sender()).root;
  submit_in_the_name_of(world, victim, root, victims_key);
  world.net().start(devnet::Part::kEnclave);
  const Outcome there = world.finish();
  EXPECT_EQ(there.verdicts, (std::vector<std::string>{"accept", "accept", "reject invalid"}));
  std::vector<session::SignedCertificate> false_certificates;
  for (const std::string& text : world.certificates()) {
    false_certificates.push_back(session::certificate_from_json(parse_json(text, "certificate")));
  }
  ASSERT_EQ(false_certificates.size(), 2u);  // a rejection and a result

  // Here: the third party submits, and nothing of what was signed there counts.
  world.restore(false);
  world.submit_rows(2, "{\"prompt\": \"abc\", \"completion\": \"ABC\"}\n");
  for (const session::SignedCertificate& certificate : false_certificates) {
    EXPECT_EQ(
        refusal([&] { world.opener().coordinator().bring(world.opener().sender(), certificate); }),
        "SealHashMismatch");
  }
  // The enclave has worked for another seal and signs nothing for this one; if it saw the end of
  // that session before it was stopped, its key is gone besides.
  world.net().start(devnet::Part::kEnclave);
  const std::string error = world.error_of_service();
  EXPECT_TRUE(error.find("seal") != std::string::npos ||
              error == "this enclave holds no key for the session")
      << error;
  EXPECT_EQ(world.certificates().size(), 2u);
  EXPECT_FALSE(world.over());

  // When its time to deliver is over, everybody has the stake back.
  world.net().rpc().raw("evm_increaseTime", {15 * 86400});
  world.net().rpc().raw("evm_mine");
  world.opener().coordinator().fail(world.opener().sender(), world.session_id());
  const Outcome here = world.outcome();
  EXPECT_EQ(here.state, session::SessionState::kFailed);
  EXPECT_EQ(here.slashes, 0u);
  EXPECT_EQ(here.tokens, 0u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(
        world.opener().coordinator().claimable(world.session_id(), world.party(i).address()).stake,
        evm::parse_ether("0.5"));
  }
}

}  // namespace
}  // namespace ffe::sessions
