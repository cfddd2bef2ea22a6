// A local network of 0G Compute for tests: anvil, the contracts, a provider that trains a tiny
// model, a user with a funded sub-account.
#pragma once

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "compute/funding.hpp"
#include "compute/job.hpp"
#include "compute/local_network.hpp"
#include "provider/provider.hpp"
#include "storage/local_chain.hpp"
#include "support/error_of.hpp"
#include "support/tiny_model.hpp"

namespace ffe::provider::testing {

namespace fs = std::filesystem;

inline Json artifact(const std::string& name) {
  fs::path out = fs::path(FFE_SOURCE_DIR) / "contracts" / "out";
  if (const char* given = std::getenv("FFE_CONTRACTS_OUT")) out = given;
  return parse_json(read_text_file(out / (name + ".sol") / (name + ".json")), name);
}

inline constexpr const char* kRows =
    R"({"instruction":"Translate to French","input":"Hello","output":"Bonjour"})"
    "\n"
    R"({"instruction":"Translate to French","input":"Thanks","output":"Merci"})"
    "\n";

class Network {
 public:
  explicit Network(compute::LocalTerms terms = {}) {
    test::write_tiny_model(dir_.path() / "tiny");
    contracts_ = compute::deploy_contracts(chain_.sender(), artifact("LedgerManager"),
                                           artifact("FineTuningServing"), terms);
    rpc_ = std::make_unique<evm::RpcClient>(chain_.url(), compute::rpc_options());
    serving_ = std::make_unique<compute::FineTuningServing>(*rpc_, contracts_.fine_tuning);
    ledger_ = std::make_unique<compute::LedgerManager>(*rpc_, contracts_.ledger);
    user_ = funded();
    write_file_atomic(dir_.path() / "rows.jsonl", as_bytes(kRows));
  }

  // An account with 1000 0G.
  std::unique_ptr<evm::Sender> funded() {
    auto key = crypto::PrivateKey::generate();
    chain_.sender().send(key.address(), {}, evm::parse_ether("1000"));
    evm::SenderOptions quick;
    quick.wait.poll = std::chrono::milliseconds(20);
    return std::make_unique<evm::Sender>(*rpc_, key, quick);
  }

  ProviderOptions options() const {
    ProviderOptions o;
    o.dir = dir_.path() / "provider";
    o.model = dir_.path() / "tiny";
    o.threads = 1;
    o.rpc_url = chain_.url();
    o.contracts = contracts_;
    o.poll = std::chrono::milliseconds(30);
    return o;
  }

  // A running provider, acknowledged by 0G, with the user's sub-account.
  Provider& start(ProviderOptions o) {
    auto key = crypto::PrivateKey::generate();
    chain_.sender().send(key.address(), {}, evm::parse_ether("1000"));
    provider_ = std::make_unique<Provider>(std::move(o), key);
    provider_->start();
    evm::Sender owner(*rpc_, testing_owner());
    serving_->acknowledge_signer_by_owner(owner, provider_->address());
    fund(*user_, "1");
    return *provider_;
  }
  Provider& start(std::set<Fault> faults = {}) {
    ProviderOptions o = options();
    o.faults = std::move(faults);
    return start(std::move(o));
  }

  void fund(evm::Sender& user, const char* amount) {
    compute::carry_out(compute::plan_funding(*ledger_, *serving_, user.address(),
                                             provider_->address(), evm::parse_ether(amount)),
                       *ledger_, *serving_, user, provider_->address());
  }

  compute::JobSpec spec() const {
    compute::JobSpec s;
    s.provider = provider_->address();
    s.dataset = dir_.path() / "rows.jsonl";
    s.base_model = "mock-model";
    s.params.num_train_epochs = 1;
    s.params.max_steps = 2;
    s.max_fee = evm::parse_ether("0.5");
    return s;
  }
  compute::JobOptions job_options() const {
    compute::JobOptions o;
    o.poll = std::chrono::milliseconds(30);
    o.give_up = std::chrono::seconds(60);
    o.provider.attempts = 8;
    o.provider.first_pause = std::chrono::milliseconds(20);
    return o;
  }
  compute::JobEvents events() {
    compute::JobEvents e;
    e.step = [this](const std::string& text) { steps_.push_back(text); };
    e.state = [this](const std::string& state) { states_.push_back(state); };
    return e;
  }
  fs::path folder() const { return dir_.path() / "job"; }
  void create(const compute::JobSpec& spec) {
    compute::Job::create(folder(), spec, 31337, user_->address());
  }
  fs::path run() { return run(job_options()); }
  fs::path run(compute::JobOptions o) {
    return compute::Job(folder(), *user_, contracts_, std::move(o), events()).run();
  }
  // Creates and runs.
  fs::path do_job() {
    create(spec());
    return run();
  }
  std::string journal(const char* key) const {
    return parse_json(read_text_file(folder() / "job.json"), "job.json").at(key);
  }
  bool said(std::string_view part) const {
    return std::any_of(steps_.begin(), steps_.end(),
                       [&](const std::string& s) { return s.find(part) != std::string::npos; });
  }

  static crypto::PrivateKey testing_owner() { return storage::testing::anvil_key(); }

  TempDir dir_{"ffe-compute"};
  storage::testing::LocalChain chain_;
  compute::Contracts contracts_;
  std::unique_ptr<evm::RpcClient> rpc_;
  std::unique_ptr<compute::FineTuningServing> serving_;
  std::unique_ptr<compute::LedgerManager> ledger_;
  std::unique_ptr<evm::Sender> user_;
  std::unique_ptr<Provider> provider_;
  std::vector<std::string> steps_;
  std::vector<std::string> states_;
};

// Skips where the tools for a chain are not built.
class WithNetwork : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string what = storage::testing::missing_tools(); !what.empty()) GTEST_SKIP() << what;
  }
};

}  // namespace ffe::provider::testing
