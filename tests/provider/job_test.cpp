#include "compute/job.hpp"

#include "compute/request.hpp"
#include "lm/adapter_file.hpp"
#include "lm/weights.hpp"
#include "provider/network.hpp"
#include "storage/node.hpp"

namespace ffe::provider {
namespace {

using namespace ffe::provider::testing;
using test::error_of;
using test::hint_of;

class ComputeJob : public WithNetwork {};

std::string code(const std::string& error) {
  return error.substr(0, error.find(':'));
}

TEST_F(ComputeJob, GoesFromRowsToAnAdapter) {
  Network net;
  net.start();
  fs::path adapter = net.do_job();
  lm::LoraAdapter read =
      lm::read_peft_folder(adapter, lm::ModelFile::open(net.dir_.path() / "tiny").config());
  EXPECT_EQ(read.rank, 8u);
  EXPECT_EQ(read.alpha, 32);
  EXPECT_TRUE(net.said("mock TEE"));
  EXPECT_TRUE(net.said("Acknowledged"));
  // 90 bytes of text at a token each in the tiny model's vocabulary.
  auto account = net.serving_->account(net.user_->address(), net.provider_->address());
  ASSERT_TRUE(account);
  EXPECT_EQ(account->deliverables.size(), 1u);
  EXPECT_TRUE(account->deliverables[0].settled);
  EXPECT_EQ(account->nonce, evm::U256::parse(net.journal("nonce")));
  EXPECT_LT(account->balance, evm::parse_ether("1"));
  EXPECT_FALSE(fs::exists(net.folder() / "model.zip"));
  // Again: nothing happens, nothing is paid.
  evm::U256 before = account->balance;
  EXPECT_EQ(net.run(), adapter);
  EXPECT_EQ(net.serving_->account(net.user_->address(), net.provider_->address())->balance, before);
}

TEST_F(ComputeJob, DatasetAndModelOverStorage) {
  Network net;
  storage::NodeOptions node_options;
  node_options.dir = net.dir_.path() / "node";
  node_options.rpc_url = net.chain_.url();
  node_options.flow_address = net.chain_.deploy_flow();
  node_options.port = 0;
  storage::Node node(node_options);
  node.start();
  storage::ClientOptions client;
  client.rpc_url = net.chain_.url();
  client.nodes = {node.url()};
  client.poll_ms = 50;
  for (RootKind root : {RootKind::kStorage, RootKind::kStorageText}) {
    ProviderOptions o = net.options();
    o.dir /= root == RootKind::kStorage ? "one" : "two";
    o.storage = client;
    o.root = root;
    net.start(o);
    compute::JobSpec spec = net.spec();
    spec.way = compute::DatasetWay::kStorage;
    fs::remove_all(net.folder());
    net.create(spec);
    compute::JobOptions job = net.job_options();
    job.storage = client;
    EXPECT_TRUE(fs::exists(net.run(job) / "adapter_model.safetensors"));
    EXPECT_TRUE(net.said("on 0G Storage, unencrypted"));
  }
}

// --- broken deliveries are never paid for ---

struct Broken {
  Fault fault;
  const char* why;
};
class BrokenDelivery : public WithNetwork, public ::testing::WithParamInterface<Broken> {};

TEST_P(BrokenDelivery, IsRefusedAndNotAcknowledged) {
  Network net;
  net.start({GetParam().fault});
  net.create(net.spec());
  std::string error = error_of([&] { net.run(); });
  EXPECT_EQ(code(error), "corrupt") << error;
  EXPECT_NE(error.find(GetParam().why), std::string::npos) << error;
  auto d = net.serving_->deliverable(net.user_->address(), net.provider_->address(),
                                     net.journal("task"));
  ASSERT_TRUE(d);
  EXPECT_FALSE(d->acknowledged);
  EXPECT_FALSE(fs::exists(net.folder() / "adapter"));
  EXPECT_FALSE(fs::exists(net.folder() / "model.enc"));
  // Trying again finds the same; giving it up frees the queue.
  EXPECT_EQ(code(error_of([&] { net.run(); })), "corrupt");
  compute::Job(net.folder(), *net.user_, net.contracts_, net.job_options(), {})
      .acknowledge_unseen();
  EXPECT_TRUE(
      net.serving_->deliverable(net.user_->address(), net.provider_->address(), net.journal("task"))
          ->acknowledged);
}

INSTANTIATE_TEST_SUITE_P(Faults, BrokenDelivery,
                         ::testing::Values(Broken{Fault::kTruncated, "not the one whose hash"},
                                           Broken{Fault::kFlippedBit, "not the one whose hash"},
                                           Broken{Fault::kWrongRoot, "not the one whose hash"},
                                           Broken{Fault::kWrongSigner, "not by the provider's"}),
                         [](const auto& info) {
                           std::string name(fault_name(info.param.fault));
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(ComputeJob, KeyForAnotherWalletOpensNothing) {
  Network net;
  net.start({Fault::kWrongKey});
  std::string error = error_of([&] { net.do_job(); });
  EXPECT_EQ(code(error), "corrupt") << error;
  EXPECT_FALSE(fs::exists(net.folder() / "adapter"));
}

TEST_F(ComputeJob, SignerIsTheOneThatWasAttested) {
  Network net;
  net.start({Fault::kRotateSigner});
  net.create(net.spec());
  // The file is signed by the signer that was attested, so it is taken; the settlement waits until
  // 0G has looked at the new one, which the user sees as a key that does not come.
  compute::JobOptions options = net.job_options();
  compute::JobEvents events;
  bool acknowledged = false;
  events.step = [&](const std::string& text) {
    if (text == "Acknowledged") {
      acknowledged = true;
      throw Error(ErrorCode::kInterrupted, "enough");
    }
  };
  EXPECT_EQ(code(error_of([&] {
              compute::Job(net.folder(), *net.user_, net.contracts_, options, events).run();
            })),
            "interrupted");
  EXPECT_TRUE(acknowledged);
  auto service = net.serving_->service(net.provider_->address());
  EXPECT_FALSE(service->tee_signer_acknowledged);
  // A new job there is refused before anything is sent.
  fs::remove_all(net.folder());
  net.create(net.spec());
  EXPECT_EQ(code(error_of([&] { net.run(); })), "attestation");
}

TEST_F(ComputeJob, ForcedSettlementIsToldAndBlocksAsPublished) {
  Network net;
  net.start({Fault::kForceSettle});
  net.create(net.spec());
  evm::U256 before = net.serving_->account(net.user_->address(), net.provider_->address())->balance;
  // Whichever is first: the user's acknowledgement or the provider's settlement.
  std::string error = error_of([&] { net.run(); });
  EXPECT_TRUE(code(error) == "session" || code(error) == "chain") << error;
  auto account = net.serving_->account(net.user_->address(), net.provider_->address());
  EXPECT_LT(account->balance, before);
  compute::ProviderClient client(net.provider_->url());
  for (int i = 0; i < 200 && client.tasks(net.user_->address()).front().state != "Finished"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  fs::remove_all(net.folder());
  net.create(net.spec());
  error = error_of([&] {
    compute::JobOptions options = net.job_options();
    options.give_up = std::chrono::seconds(2);
    net.run(options);
  });
  EXPECT_EQ(code(error), "session") << error;
  EXPECT_TRUE(net.said("settled without its acknowledgement"));
}

// --- busy and breaking providers ---

class Rough : public WithNetwork, public ::testing::WithParamInterface<std::vector<Fault>> {};

TEST_P(Rough, IsWaitedOut) {
  Network net;
  net.start(std::set<Fault>(GetParam().begin(), GetParam().end()));
  EXPECT_TRUE(fs::exists(net.do_job() / "adapter_model.safetensors"));
}

INSTANTIATE_TEST_SUITE_P(Faults, Rough,
                         ::testing::Values(std::vector<Fault>{Fault::kBusy},
                                           std::vector<Fault>{Fault::kLimited},
                                           std::vector<Fault>{Fault::kDisconnect},
                                           std::vector<Fault>{Fault::kDisconnect, Fault::kNoRange},
                                           std::vector<Fault>{Fault::kRegress},
                                           std::vector<Fault>{Fault::kBusy, Fault::kLimited}));

TEST_F(ComputeJob, LostAnswerGivesOneTask) {
  Network net;
  net.start({Fault::kLostAnswer});
  net.do_job();
  compute::ProviderClient client(net.provider_->url());
  EXPECT_EQ(client.tasks(net.user_->address()).size(), 1u);
}

TEST_F(ComputeJob, RateLimitOfTheNetworkIsWaitedOut) {
  Network net;
  ProviderOptions o = net.options();
  o.requests_per_second = 2;
  o.burst = 1;
  net.start(o);
  compute::JobOptions job = net.job_options();
  job.provider.first_pause = std::chrono::milliseconds(300);
  net.create(net.spec());
  EXPECT_TRUE(fs::exists(net.run(job)));
}

// --- crashes ---

TEST_F(ComputeJob, GoesOnAfterEveryStep) {
  Network net;
  net.start();
  net.create(net.spec());
  // Ends at each step in turn, as a crash right behind it would.
  std::set<std::string> seen;
  fs::path adapter;
  for (int i = 0; i < 20 && adapter.empty(); ++i) {
    compute::JobEvents events;
    events.step = [&](const std::string& text) {
      if (seen.insert(text.substr(0, 12)).second) throw Error(ErrorCode::kInterrupted, text);
    };
    try {
      adapter =
          compute::Job(net.folder(), *net.user_, net.contracts_, net.job_options(), events).run();
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kInterrupted) << e.what();
    }
  }
  EXPECT_TRUE(fs::exists(adapter / "adapter_model.safetensors"));
  EXPECT_GE(seen.size(), 6u);
  compute::ProviderClient client(net.provider_->url());
  EXPECT_EQ(client.tasks(net.user_->address()).size(), 1u);
  EXPECT_EQ(
      net.serving_->account(net.user_->address(), net.provider_->address())->deliverables.size(),
      1u);
}

// A provider that never settles leaves the job where it can be taken up later.
TEST_F(ComputeJob, KeyThatDoesNotComeIsWaitedForLater) {
  Network net;
  net.start({Fault::kRotateSigner});
  net.create(net.spec());
  compute::JobOptions o = net.job_options();
  o.give_up = std::chrono::seconds(3);
  std::string error = error_of([&] { net.run(o); });
  EXPECT_NE(error.find("not published yet"), std::string::npos) << error;
  EXPECT_TRUE(
      net.serving_->deliverable(net.user_->address(), net.provider_->address(), net.journal("task"))
          ->acknowledged);
}

TEST_F(ComputeJob, OneProcessAtATime) {
  Network net;
  net.start();
  net.create(net.spec());
  compute::Job first(net.folder(), *net.user_, net.contracts_, net.job_options(), {});
  EXPECT_EQ(code(error_of([&] { net.run(); })), "usage");
}

// --- money and mistakes, before anything is paid ---

TEST_F(ComputeJob, LimitOfTheFeeHolds) {
  Network net;
  net.start();
  compute::JobSpec spec = net.spec();
  spec.max_fee = evm::U256(1000);
  net.create(spec);
  compute::JobOptions counted = net.job_options();
  counted.tokens = [](std::string_view text) { return text.size(); };
  EXPECT_EQ(code(error_of([&] { net.run(counted); })), "usage");
  // Without an estimate of our own the provider's fee is what stops it, if it is seen in time.
  fs::remove_all(net.folder());
  ProviderOptions slow = net.options();
  slow.dir /= "slow";
  slow.poll = std::chrono::milliseconds(1500);
  net.start(slow);
  spec.provider = net.provider_->address();
  net.create(spec);
  std::string error = error_of([&] { net.run(); });
  EXPECT_NE(error.find("is cancelled"), std::string::npos) << error;
  compute::ProviderClient client(net.provider_->url());
  EXPECT_EQ(client.tasks(net.user_->address()).at(0).state, "Failed");
}

TEST_F(ComputeJob, NeedsMoneyFirst) {
  Network net;
  net.start();
  net.user_ = net.funded();
  net.create(net.spec());
  EXPECT_EQ(code(error_of([&] { net.run(); })), "chain");
  EXPECT_NE(hint_of([&] { net.run(); }).find("ffe compute fund"), std::string::npos);
  EXPECT_EQ(compute::ProviderClient(net.provider_->url()).tasks(net.user_->address()).size(), 0u);
}

TEST_F(ComputeJob, FundingPaysWhatIsMissingOnce) {
  Network net;
  net.start();
  auto user = net.funded();
  auto plan = [&](const char* amount) {
    return compute::plan_funding(*net.ledger_, *net.serving_, user->address(),
                                 net.provider_->address(), evm::parse_ether(amount));
  };
  EXPECT_EQ(plan("0.2").deposit, evm::parse_ether("3"));
  EXPECT_EQ(plan("0.2").transfer, evm::parse_ether("1"));
  net.fund(*user, "0.2");
  EXPECT_TRUE(plan("1").empty());
  // 2 of 3 are free, but the ledger must hold 3 or nothing.
  EXPECT_TRUE(compute::withdrawable(*net.ledger_, user->address()).is_zero());
  EXPECT_EQ(plan("1.5").transfer, evm::parse_ether("0.5"));
  EXPECT_TRUE(plan("1.5").deposit.is_zero());
  net.fund(*user, "5");
  EXPECT_EQ(net.ledger_->ledger(user->address())->available, evm::U256());
  EXPECT_EQ(net.serving_->account(user->address(), net.provider_->address())->free(),
            evm::parse_ether("5"));
  net.ledger_->deposit(*user, evm::parse_ether("1"));
  EXPECT_EQ(compute::withdrawable(*net.ledger_, user->address()), evm::parse_ether("1"));
  net.ledger_->refund(*user, evm::parse_ether("1"));
  // What is asked back serves first.
  net.ledger_->retrieve(*user, {net.provider_->address()},
                        net.ledger_->service_name(net.contracts_.fine_tuning));
  EXPECT_TRUE(plan("5").deposit.is_zero());
  net.fund(*user, "5");
  EXPECT_EQ(net.serving_->account(user->address(), net.provider_->address())->free(),
            evm::parse_ether("5"));
}

TEST_F(ComputeJob, RefusesMistakesBeforeItAsksAnybody) {
  Network net;
  net.start();
  compute::JobSpec spec = net.spec();
  spec.base_model = "gpt-4";
  EXPECT_EQ(code(error_of([&] { net.create(spec); })), "usage");
  spec = net.spec();
  spec.params.num_train_epochs = 11;
  EXPECT_EQ(code(error_of([&] { net.create(spec); })), "bad_input");
  spec = net.spec();
  write_file_atomic(net.dir_.path() / "bad.jsonl", as_bytes("{\"text\":\"a\"}\nnot json\n"));
  spec.dataset = net.dir_.path() / "bad.jsonl";
  EXPECT_NE(error_of([&] { net.create(spec); }).find("bad.jsonl:2"), std::string::npos);
  EXPECT_FALSE(fs::exists(net.folder()));
  net.create(net.spec());
  EXPECT_EQ(code(error_of([&] { net.create(net.spec()); })), "usage");
}

TEST_F(ComputeJob, FailedTaskSaysWhy) {
  Network net;
  net.start({Fault::kTrainingFails});
  std::string error = error_of([&] { net.do_job(); });
  EXPECT_EQ(code(error), "session");
  EXPECT_NE(error.find("Container Failed"), std::string::npos) << error;
}

TEST_F(ComputeJob, OtherBytesThanSentAreSeen) {
  Network net;
  net.start({Fault::kWrongHash});
  EXPECT_EQ(code(error_of([&] { net.do_job(); })), "corrupt");
}

TEST_F(ComputeJob, UndeliveredQueueIsExplained) {
  Network net;
  net.start({Fault::kWrongRoot});
  net.create(net.spec());
  EXPECT_EQ(code(error_of([&] { net.run(); })), "corrupt");
  fs::remove_all(net.folder());
  net.create(net.spec());
  std::string error = error_of([&] { net.run(); });
  EXPECT_EQ(code(error), "session");
  EXPECT_NE(error.find("not acknowledged"), std::string::npos) << error;
}

}  // namespace
}  // namespace ffe::provider
