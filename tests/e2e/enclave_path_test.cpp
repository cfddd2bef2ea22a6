// The whole path that a client walks before it encrypts, on a local chain with the real contracts:
// quote → binding → code → release → registry → terms. Each test breaks one link and expects that
// link's name. The numbers are those of the attack table in docs/threat-model.md.
#include <atomic>
#include <gtest/gtest.h>

#include "aggregator/registration.hpp"
#include "client/client.hpp"
#include "client/deploy.hpp"
#include "client/release.hpp"
#include "crypto/keccak.hpp"
#include "evm/anvil.hpp"
#include "tee/agent_log.hpp"
#include "tee/application.hpp"
#include "tee/binding.hpp"
#include "tee/evidence.hpp"
#include "tee/fake_tapp.hpp"
#include "tee/simulated.hpp"
#include "tee/x509.hpp"

namespace ffe::client {
namespace {

namespace fs = std::filesystem;
using evm::test::Anvil;
using evm::test::Relay;

constexpr uint64_t kDay = 86400;

// The Error that `run` throws.
template <class F>
Error caught(F&& run) {
  try {
    run();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no Error was thrown";
  return Error(ErrorCode::kInternal, "");
}

void write(const fs::path& file, const std::string& text) {
  write_file_atomic(file, as_bytes(text));
}

// Chain, contracts and one simulated machine.
struct World {
  World() : sender(rpc, Anvil::key(0)) {
    write(folder.path() / "program", "the measured program");
    setenv("XDG_DATA_HOME", (folder.path() / "data").c_str(), 1);
    platform = std::make_unique<tee::SimulatedPlatform>(
        tee::SimulatedPlatform::create(folder.path() / "platform", folder.path() / "program"));
    DeployOptions options;
    options.chain_id = 31337;
    options.development_root = platform->root_der();
    options.treasury = sender.address();
    deployment = deploy(sender, options);
    network.name = "test";
    network.chain_id = 31337;
    network.rpc_url = anvil.url();
    network.coordinator = deployment.coordinator;
    network.registry = deployment.registry;
    network.inft = deployment.inft;
    network.from_block = deployment.block;
    network.storage_nodes = {"http://127.0.0.1:1"};
    network.development_root = platform->root_der();
    network.releases = {platform->code_hash()};
  }

  TempDir folder{"ffe-path"};
  Anvil anvil;
  evm::RpcClient rpc{anvil.url(), session::rpc_options()};
  evm::Sender sender;
  std::unique_ptr<tee::SimulatedPlatform> platform;
  Deployment deployment;
  Network network;
};

// An enclave service's evidence, as /v1/enclave has it.
class Service {
 public:
  Service(World& world, tee::EvidenceProvider& platform, const std::string& name)
      : journal_(world.folder.path() / (name + ".sqlite"), nullptr),
        enclave_(journal_, {31337, world.deployment.coordinator}, platform.signing_key()),
        feed_(platform, config(world)),
        registry_(world.rpc, world.deployment.registry, world.deployment.block),
        registrar_(enclave_, journal_, platform, feed_, registry_, world.sender,
                   world.sender.address()) {
    server_.handle("GET", "/v1/enclave", [this](const auto&) {
      ++asked;
      auto r = shown ? shown : registrar_.current();
      Json body = tee::to_json(r->evidence);
      body["enclaveId"] = to_hex0x(r->enclave_id.bytes);
      body["collateral"] =
          tee::to_json(collateral ? *collateral : feed_.get(tee::parse_quote(r->evidence.quote)));
      if (!limits.is_null()) body["limits"] = limits;
      net::ServerResponse out;
      out.body = body.dump();
      return out;
    });
    server_.start();
  }

  H256 registered() { return registrar_.ensure(kDay)->enclave_id; }
  std::string url() const { return server_.url(); }
  aggregator::Enclave& enclave() { return enclave_; }
  aggregator::Registrar& registrar() { return registrar_; }
  session::Registry& registry() { return registry_; }

  std::optional<tee::Collateral> collateral;              // served instead of the current one
  std::shared_ptr<const aggregator::Registration> shown;  // the same for the evidence
  Json limits;                                            // served, if any
  std::atomic<int> asked = 0;

 private:
  static aggregator::Config config(const World& world) {
    aggregator::Config out;
    out.data_dir = world.folder.path();
    return out;
  }

  aggregator::Journal journal_;
  aggregator::Enclave enclave_;
  aggregator::CollateralFeed feed_;
  session::Registry registry_;
  aggregator::Registrar registrar_;
  net::HttpServer server_;
};

class EnclavePath : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!evm::test::find_anvil().empty()) world_ = new World;
  }
  static void TearDownTestSuite() {
    delete world_;
    world_ = nullptr;
  }
  void SetUp() override {
    if (world_ == nullptr) GTEST_SKIP() << "NO CHAIN: anvil is absent (make setup-contracts)";
  }

  std::unique_ptr<Service> serve(tee::EvidenceProvider& platform) {
    static int number = 0;
    return std::make_unique<Service>(*world_, platform, "journal" + std::to_string(number++));
  }
  std::unique_ptr<Service> serve() { return serve(*world_->platform); }

  // A client that knows these services.
  Client client(const Service& service, std::optional<Network> changed = std::nullopt) {
    Network network = changed.value_or(world_->network);
    network.enclave_urls = {service.url()};
    return Client(network, Anvil::key(1));
  }
  static std::string broken(const EnclaveVerification& v) {
    if (const tee::Check* check = v.quote.first_failed()) return check->name;
    for (const tee::Check& link : v.links) {
      if (link.state == tee::Check::failed) return link.name;
    }
    return "";
  }
  // Of two participants: the accounts 0 and 1.
  static session::SessionTerms small_terms(Service& service, std::string_view salt) {
    session::SessionTerms terms;
    terms.enclave_id = service.registered();
    terms.code_hash = world_->platform->code_hash();
    terms.salt = crypto::keccak256(salt);
    terms.submit_deadline = world_->rpc.latest_block().timestamp + 3600;
    terms.deliver_period = 3600;
    terms.quorum = terms.min_accepted = 2;
    terms.max_rows = 100;
    terms.participants = {Anvil::key(0).address(), Anvil::key(1).address()};
    std::sort(terms.participants.begin(), terms.participants.end());
    terms.stake = 1;
    terms.slash_recipient = session::kBurnAddress;
    terms.recipe = session::text_hash("recipe");
    terms.base_model = session::text_hash("manifest");
    return terms;
  }
  // What submit() does first: throws unless every link holds.
  static std::string refusal(const EnclaveVerification& v) {
    Error e = caught([&] { v.require(); });
    EXPECT_EQ(e.code(), ErrorCode::kAttestation);
    EXPECT_FALSE(e.hint().empty()) << e.what();
    return e.what();
  }

  static World* world_;
};
World* EnclavePath::world_ = nullptr;

TEST_F(EnclavePath, AHealthyEnclaveIsAcceptedLinkByLink) {
  auto service = serve();
  H256 id = service->registered();
  EnclaveVerification v = client(*service).verify_enclave(id);
  EXPECT_TRUE(v.accepted()) << broken(v);
  EXPECT_TRUE(v.simulated);
  EXPECT_EQ(v.signer, service->enclave().signer());
  std::vector<std::string> names;
  for (const tee::Check& link : v.links) names.push_back(link.name);
  EXPECT_EQ(names, (std::vector<std::string>{"binding", "code", "release", "registry"}));
  EXPECT_NO_THROW(v.require());
}

TEST_F(EnclavePath, ItRenewsBeforeItsRegistrationEnds) {
  auto service = serve();
  H256 id = service->registered();
  uint64_t first = service->registrar().current()->valid_until;
  EXPECT_EQ(service->registrar().ensure(kDay)->valid_until, first) << "not due yet";
  // The chain's time counts, not this machine's: an hour less than the margin is left.
  uint64_t now = world_->rpc.latest_block().timestamp;
  world_->rpc.raw("evm_setNextBlockTimestamp", {first - kDay + 3600});
  world_->rpc.raw("evm_mine", {});
  EXPECT_EQ(service->registered(), id);
  EXPECT_GT(service->registrar().current()->valid_until, first + 5 * kDay);
  EXPECT_GT(world_->rpc.latest_block().timestamp, now);
}

// A day before its registration ends, by the chain's time.
void pass_until_due(World& world, Service& service) {
  const uint64_t end = service.registrar().current()->valid_until;
  world.rpc.raw("evm_setNextBlockTimestamp", {end - kDay + 3600});
  world.rpc.raw("evm_mine", {});
}

// The client reads what the registry saw last, whoever shows it, and whether it was cut or not.
TEST_F(EnclavePath, AfterARenewalTheNewestQuoteCounts) {
  auto service = serve();
  const H256 id = service->registered();
  const auto first = service->registrar().current();
  for (int renewal = 0; renewal < 2; ++renewal) {
    pass_until_due(*world_, *service);
    EXPECT_EQ(service->registered(), id);
  }
  const auto newest = service->registrar().current();
  ASSERT_NE(newest->evidence.quote, first->evidence.quote);
  const auto verified = [&](std::optional<Network> network = {}) {
    EnclaveVerification v = client(*service, network).verify_enclave(id);
    EXPECT_TRUE(v.accepted()) << broken(v);
    return v.quote.quote->td.report_data;
  };
  const FixedBytes<64> wanted = tee::report_data(service->enclave().signer(), newest->ext);
  EXPECT_EQ(verified(), wanted) << "the operator's whole quote";
  service->shown = first;
  EXPECT_EQ(verified(), wanted) << "the chain's, with the certificates of the first";

  // A renewal that came through another contract cannot be read; the one before it can.
  const auto transactions = service->registry().registration_transactions(id);
  ASSERT_EQ(transactions.size(), 3u);
  const std::string last = to_hex0x(transactions.front().bytes);
  Relay veiled(world_->anvil.url(),
               {{"eth_getTransactionByHash", [&](const Json& p, const Relay::Forward& on) -> Json {
                   Json tx = on(p);
                   if (p[0] == last) tx["to"] = to_hex0x(world_->deployment.coordinator.bytes);
                   return tx;
                 }}});
  Network network = world_->network;
  network.rpc_url = veiled.url();
  EXPECT_NE(verified(network), wanted);

  // One that lies about the renewal's quote, or about the block that it names.
  Relay liar(world_->anvil.url(),
             {{"eth_getTransactionByHash", [&](const Json& p, const Relay::Forward& on) -> Json {
                 Json tx = on(p);
                 if (p[0] != last) return tx;
                 std::string input = tx["input"].get<std::string>();
                 char& digit = input[2 + 2 * (4 + 32 * 4 + 600)];  // in the report data
                 digit = digit == '0' ? '1' : '0';
                 tx["input"] = input;
                 return tx;
               }}});
  network.rpc_url = liar.url();
  EXPECT_EQ(broken(client(*service, network).verify_enclave(id)), "quote.signature");
  Relay forgetful(world_->anvil.url(),
                  {{"eth_getBlockByNumber", [](const Json& p, const Relay::Forward& on) -> Json {
                      Json block = on(p);
                      if (p[0] != "latest") block["hash"] = "0x" + std::string(64, '5');
                      return block;
                    }}});
  network.rpc_url = forgetful.url();
  EXPECT_EQ(broken(client(*service, network).verify_enclave(id)), "binding");
}

// The simulator, with collateral that Intel issued again.
class Reissuing final : public tee::EvidenceProvider {
 public:
  explicit Reissuing(tee::SimulatedPlatform& platform) : platform_(platform) {}
  std::string name() const override { return platform_.name(); }
  bool simulated() const override { return true; }
  tee::Evidence quote(const FixedBytes<64>& data) override { return platform_.quote(data); }
  tee::Collateral collateral() override { return platform_.collateral(options); }

  tee::SimulatedCollateralOptions options;

 private:
  tee::SimulatedPlatform& platform_;
};

// Attack 25: what Intel issues between two registrations reaches the chain without anybody's help.
TEST_F(EnclavePath, ReissuedCollateralReachesTheChain) {
  Reissuing platform(*world_->platform);
  auto service = serve(platform);
  service->registered();
  evm::Contract dcap(world_->rpc, service->registry().dcap_verifier(), session::dcap_abi());
  const auto number = [&] { return dcap.call("qeState")["evaluationNumber"].as_u64(); };
  const uint64_t before = number(), head = world_->rpc.block_number();
  service->registrar().recheck();
  EXPECT_EQ(world_->rpc.block_number(), head) << "nothing new, nothing sent";
  platform.options.evaluation_number = static_cast<uint32_t>(before + 5);
  service->registrar().recheck();
  EXPECT_EQ(number(), before + 5);
  EXPECT_EQ(world_->rpc.block_number(), head + 2) << "TCB info and QE identity";
}

// 0G Tapp without configfs: the service's own text in the report data, the code by its event log.
TEST_F(EnclavePath, AnEnclaveOnTappIsKnownByItsLog) {
  if (!tee::fake_tapp_runs()) GTEST_SKIP() << tee::kNoTapp;
  tee::SimulatedPlatform& machine = *world_->platform;
  tee::AgentLog log;
  tee::SimulatedPlatform td = tee::SimulatedPlatform::open(world_->folder.path() / "platform",
                                                           world_->folder.path() / "program");
  const auto grow = [&](const std::string& operation, const Json& content) {
    log.add(operation, content);
    td.extend(log.digests().back());
  };
  for (unsigned i = 0; i < 3; ++i) {
    log.add_boot(i, crypto::sha384(as_bytes("ffe.simulator.rtmr" + std::to_string(i))));
  }
  grow("start_app", {{"app_id", "ffe"},
                     {"result", "success"},
                     {"compose_hash", std::string(96, 'a')},
                     {"image_hash", {{"ffe", "sha256:" + std::string(64, 'c')}}}});
  // Intel's collateral as the service would have cached it; here it is the development PKI's.
  const Json cached = {{"fetched", std::time(nullptr)},
                       {"collateral", tee::to_json(machine.collateral())}};
  fs::create_directories(world_->folder.path() / "collateral");
  for (const char* ca : {"platform", "processor"}) {
    write(world_->folder.path() / "collateral" / (std::string("00de50000000-") + ca + ".json"),
          cached.dump());
  }
  tee::FakeTapp tapp({.event_log = log.finished(),
                      .quote = [&](const FixedBytes<64>& data) { return td.quote_bytes(data); }});
  auto provider = tee::tapp_provider(tapp.options());
  auto service = serve(*provider);
  const H256 id = service->registered();
  EXPECT_EQ(service->enclave().signer(), tapp.key().address());
  const session::EnclaveRecord record = service->registry().enclave(id);
  EXPECT_FALSE(record.application_proven) << "the chain replays no log";
  const H256 code = tee::code_hash(tee::platform_hash(tee::parse_quote(td.quote_bytes({})).td),
                                   tee::application_hash(tee::parse_ccel(log.finished())));
  EXPECT_EQ(record.code_hash, code);

  Network network = world_->network;
  network.releases = {code};
  EnclaveVerification v = client(*service, network).verify_enclave(id);
  EXPECT_TRUE(v.accepted()) << broken(v);
  EXPECT_EQ(broken(client(*service).verify_enclave(id)), "release") << "not by its registers";
  pass_until_due(*world_, *service);
  EXPECT_EQ(service->registered(), id) << "the same enclave with a newer quote";
  EXPECT_TRUE(client(*service, network).verify_enclave(id).accepted());

  // Without the log nothing says what runs; with another machine's log the quote refuses it.
  auto silent = std::make_shared<aggregator::Registration>(*service->registrar().current());
  silent->evidence.event_log_format = tee::EventLogFormat::kNone;
  service->shown = silent;
  EXPECT_EQ(broken(client(*service, network).verify_enclave(id)), "code");
  tee::AgentLog other;
  silent->evidence.event_log_format = tee::EventLogFormat::kCcel;
  silent->evidence.event_log = other.finished();
  EXPECT_EQ(broken(client(*service, network).verify_enclave(id)), "evidence.event_log");
}

// Attacks 18 and 30: another program on the same genuine machine, registered by the book.
TEST_F(EnclavePath, OtherCodeIsNoPublishedRelease) {
  fs::path other = world_->folder.path() / "other-program";
  write(other, "the measured program, with a back door");
  tee::SimulatedPlatform changed =
      tee::SimulatedPlatform::open(world_->folder.path() / "platform", other);
  auto service = serve(changed);
  EnclaveVerification v = client(*service).verify_enclave(service->registered());
  EXPECT_EQ(broken(v), "release");
  EXPECT_NE(refusal(v).find("no published release"), std::string::npos);
}

// Attack 30: terms that name another enclave or other code than was verified.
TEST_F(EnclavePath, TermsOfAnotherEnclaveOrCodeAreRefused) {
  auto service = serve();
  H256 id = service->registered();
  session::SessionTerms terms;
  terms.enclave_id = id;
  terms.code_hash = world_->platform->code_hash();
  EXPECT_TRUE(client(*service).verify_enclave(id, &terms).accepted());
  terms.code_hash[0] ^= 1;
  EXPECT_EQ(broken(client(*service).verify_enclave(id, &terms)), "terms");
  terms.code_hash[0] ^= 1;
  terms.enclave_id[0] ^= 1;
  EXPECT_EQ(broken(client(*service).verify_enclave(id, &terms)), "terms");
}

// Attack 2: a registration that was not renewed.
TEST_F(EnclavePath, AnExpiredRegistrationIsRefused) {
  auto service = serve();
  H256 id = service->registered();
  world_->rpc.raw("evm_setNextBlockTimestamp", {service->registrar().current()->valid_until + 1});
  world_->rpc.raw("evm_mine", {});
  EnclaveVerification v = client(*service).verify_enclave(id);
  EXPECT_EQ(broken(v), "registry");
  EXPECT_NE(refusal(v).find("expired"), std::string::npos);
  EXPECT_EQ(service->registered(), id) << "a renewal brings it back";
  EXPECT_TRUE(client(*service).verify_enclave(id).accepted());
}

// Attack 6: an operator that serves older collateral than the client saw before.
TEST_F(EnclavePath, OlderCollateralIsRefusedOnceNewerWasSeen) {
  auto service = serve();
  H256 id = service->registered();
  Client seen = client(*service);
  service->collateral =
      world_->platform->collateral(tee::SimulatedCollateralOptions{.evaluation_number = 3});
  EXPECT_TRUE(seen.verify_enclave(id).accepted());
  service->collateral =
      world_->platform->collateral(tee::SimulatedCollateralOptions{.evaluation_number = 2});
  EXPECT_EQ(broken(seen.verify_enclave(id)), "collateral.not_rolled_back");
  // Another process, later: the client remembers on disk.
  EXPECT_EQ(broken(client(*service).verify_enclave(id)), "collateral.not_rolled_back");
  fs::remove(data_dir() / "attestation.json");
}

// Attacks 1, 2 and 3: the quote of one enclave, brought by another signer.
TEST_F(EnclavePath, AQuoteReplayedFromAnotherEnclaveIsRefused) {
  auto honest = serve(), thief = serve();
  honest->registered();
  auto r = honest->registrar().current();
  const crypto::PrivateKey& key = thief->enclave().key();
  Address payee = thief->enclave().signer();
  H256 digest = tee::register_digest(r->ext, payee, r->evidence.quote);
  EXPECT_THROW(honest->registry().register_enclave(world_->sender, r->evidence.quote, r->ext, payee,
                                                   key.sign(digest)),
               Error);

  // An RPC endpoint that lies: the thief's registration with the honest quote in its calldata.
  H256 id = thief->registered();
  auto theirs = thief->registrar().current();
  ASSERT_EQ(theirs->evidence.quote.size(), r->evidence.quote.size());
  Relay liar(world_->anvil.url(),
             {{"eth_getTransactionByHash", [&](const Json& p, const Relay::Forward& on) -> Json {
                 Json tx = on(p);
                 std::string input = tx["input"].get<std::string>();
                 size_t at = input.find(to_hex(theirs->evidence.quote));
                 EXPECT_NE(at, std::string::npos);
                 std::string other = to_hex(r->evidence.quote);
                 tx["input"] = input.replace(at, other.size(), other);
                 return tx;
               }}});
  Network network = world_->network;
  network.rpc_url = liar.url();
  EXPECT_EQ(broken(client(*thief, network).verify_enclave(id)), "binding");
}

// Attack 1: the registration of another chain or registry, shown as if it were of this one.
TEST_F(EnclavePath, AQuoteForAnotherChainOrRegistryIsRefused) {
  auto service = serve();
  service->registered();
  const aggregator::Enclave& enclave = service->enclave();
  evm::Block block = world_->rpc.latest_block();
  Address elsewhere = world_->deployment.coordinator;
  for (auto [chain, registry] : {std::pair<uint64_t, Address>{16661, world_->deployment.registry},
                                 std::pair<uint64_t, Address>{31337, elsewhere}}) {
    Bytes ext = tee::enclave_ext(chain, registry, enclave.signer(), {}, block.number, block.hash);
    Bytes quote = world_->platform->quote_bytes(tee::report_data(enclave.signer(), ext));
    H256 digest = tee::register_digest(ext, world_->sender.address(), quote);
    Error e = caught([&] {
      service->registry().register_enclave(world_->sender, quote, ext, world_->sender.address(),
                                           enclave.key().sign(digest));
    });
    EXPECT_NE(std::string(e.what()).find("BadExt"), std::string::npos) << e.what();
  }
}

// The registration is seen in the mempool and sent first, with another payee.
TEST_F(EnclavePath, AFrontRunnerCannotRedirectThePayee) {
  auto service = serve();
  const aggregator::Enclave& enclave = service->enclave();
  evm::Block block = world_->rpc.latest_block();
  Bytes ext = tee::enclave_ext(31337, world_->deployment.registry, enclave.signer(), {},
                               block.number, block.hash);
  Bytes quote = world_->platform->quote_bytes(tee::report_data(enclave.signer(), ext));
  Address payee = world_->sender.address(), thief = Anvil::key(1).address();
  crypto::Signature signature = enclave.key().sign(tee::register_digest(ext, payee, quote));
  EXPECT_THROW(service->registry().register_enclave(world_->sender, quote, ext, thief, signature),
               Error);
}

// A session whose key was swapped on the way to the client.
TEST_F(EnclavePath, ASwappedSessionKeyIsNotTheEnclaves) {
  auto service = serve();
  const session::SessionTerms terms = small_terms(*service, "a session");
  H256 tag = session::session_tag(31337, world_->deployment.coordinator, world_->sender.address(),
                                  terms.salt);
  aggregator::SessionOffer offer = service->enclave().offer(tag, terms);
  session::Coordinator coordinator(world_->rpc, world_->deployment.coordinator,
                                   world_->deployment.block);

  // The opener itself cannot put another key on record.
  FixedBytes<32> swapped = offer.session_key;
  swapped[5] ^= 1;
  EXPECT_THROW(coordinator.open_session(world_->sender, terms, tag, swapped, offer.seed_commitment,
                                        offer.signature, "recipe", "manifest"),
               Error);
  evm::U256 id = coordinator
                     .open_session(world_->sender, terms, tag, offer.session_key,
                                   offer.seed_commitment, offer.signature, "recipe", "manifest")
                     .first;
  session::OpenedSession opened = coordinator.opened(id);
  EXPECT_EQ(opened.session_key, offer.session_key);

  // A lying endpoint shows another key, with the session hash that belongs to it.
  H256 hash = session::session_hash(31337, world_->deployment.coordinator, id,
                                    session::terms_hash(terms), swapped, offer.seed_commitment);
  auto replace = [](std::string text, ByteView from, ByteView to) {
    for (size_t at; (at = text.find(to_hex(from))) != std::string::npos;) {
      text.replace(at, 2 * to.size(), to_hex(to));
    }
    return text;
  };
  Relay liar(world_->anvil.url(),
             {{"eth_getLogs", [&](const Json& p, const Relay::Forward& on) -> Json {
                 std::string logs = on(p).dump();
                 logs = replace(logs, offer.session_key.bytes, swapped.bytes);
                 return parse_json(replace(logs, opened.session_hash.bytes, hash.bytes), "logs");
               }}});
  evm::RpcClient lying(liar.url(), session::rpc_options());
  Error e = caught([&] {
    session::Coordinator(lying, world_->deployment.coordinator, world_->deployment.block)
        .opened(id);
  });
  EXPECT_EQ(e.code(), ErrorCode::kCorrupt);
  EXPECT_NE(std::string(e.what()).find("not signed by its enclave"), std::string::npos) << e.what();
}

// More than the enclave takes would be left out, and its contributor with it.
TEST_F(EnclavePath, MoreRowsThanTheEnclaveTakesAreNotSubmitted) {
  auto service = serve();
  session::SessionTerms terms = small_terms(*service, "a small session");
  const std::string recipe = session::to_text(session::Recipe{});
  terms.recipe = session::text_hash(recipe);
  const H256 tag = session::session_tag(31337, world_->deployment.coordinator,
                                        world_->sender.address(), terms.salt);
  const aggregator::SessionOffer offer = service->enclave().offer(tag, terms);
  session::Coordinator coordinator(world_->rpc, world_->deployment.coordinator,
                                   world_->deployment.block);
  const evm::U256 id = coordinator
                           .open_session(world_->sender, terms, tag, offer.session_key,
                                         offer.seed_commitment, offer.signature, recipe, "manifest")
                           .first;
  const std::string row = "{\"prompt\":\"a\",\"completion\":\"b\"}\n";
  const fs::path rows = world_->folder.path() / "rows.jsonl";
  write(rows, row + row + row);
  Client contributor = client(*service);
  auto plan = [&](uint64_t contribution, uint64_t session) {
    service->limits = {{"contributionBytes", contribution}, {"sessionBytes", session}};
    return caught([&] { contributor.plan_submission(id, rows); });
  };
  // Whichever is less: the limit of one, or an even share of the session's.
  for (auto [one, all] : {std::pair{3 * row.size() - 1, 1000 * row.size()},
                          std::pair{1000 * row.size(), 6 * row.size() - 1}}) {
    const Error refused = plan(one, all);
    EXPECT_EQ(refused.code(), ErrorCode::kBadInput);
    const std::string limit = std::to_string(3 * row.size() - 1);
    EXPECT_NE(std::string(refused.what()).find("takes " + limit + " from each contributor"),
              std::string::npos)
        << refused.what();
    EXPECT_FALSE(refused.hint().empty());
  }
  // At the limit it goes on, to the storage network, which does not exist here.
  service->asked = 0;
  const Error next = plan(3 * row.size(), 6 * row.size());
  EXPECT_EQ(next.code(), ErrorCode::kNetwork) << next.what();
  EXPECT_EQ(service->asked, 1) << "verified and measured with one answer";
}

// Last, because what is revoked on this chain stays revoked. Attacks 25 and 28: the machine's
// certificate is revoked; anyone may say so on chain.
TEST_F(EnclavePath, ARevokedEnclaveIsRefusedAndStaysOut) {
  auto service = serve();
  H256 id = service->registered();
  // The operator hides it: his service still serves a list from before.
  service->collateral = world_->platform->collateral(tee::SimulatedCollateralOptions{});
  Client seen = client(*service);
  EXPECT_TRUE(seen.verify_enclave(id).accepted());

  tee::Collateral revoking =
      world_->platform->collateral(tee::SimulatedCollateralOptions{.revoke_pck = true});
  tee::Certificate intermediate = tee::Certificate::from_der(world_->platform->intermediate_der());
  H256 issuer = crypto::keccak256(intermediate.public_key().bytes);
  evm::Contract dcap(world_->rpc, service->registry().dcap_verifier(), session::dcap_abi());
  dcap.send(world_->sender, "updateCrl", {revoking.pck_crl, issuer});
  evm::Contract registry(world_->rpc, world_->deployment.registry, session::registry_abi());
  registry.send(world_->sender, "invalidate", {id, Bytes{}});
  EnclaveVerification v = seen.verify_enclave(id);
  EXPECT_EQ(broken(v), "registry");
  EXPECT_NE(refusal(v).find("revoked"), std::string::npos);
  Error e = caught([&] { service->registrar().ensure(365 * kDay); });
  EXPECT_EQ(e.code(), ErrorCode::kAttestation) << e.what();

  // With the current list the client needs no registry to refuse.
  service->collateral = revoking;
  EXPECT_EQ(broken(seen.verify_enclave(id)), "crl.pck_not_revoked");
}

TEST(Releases, AFileNamesItsEnclaves) {
  std::string commit(40, 'a'), hash = "0x" + std::string(64, 'b');
  Json file = {{"version", "0.1.0"},
               {"commit", commit},
               {"enclaves", {{{"platform", "simulator"}, {"codeHash", hash}}}}};
  std::vector<Release> releases = parse_release(file, "t");
  ASSERT_EQ(releases.size(), 1u);
  EXPECT_EQ(releases[0].version, "0.1.0");
  EXPECT_EQ(to_hex0x(releases[0].code_hash.bytes), hash);
  for (const char* key : {"version", "commit", "enclaves"}) {
    Json broken = file;
    broken.erase(key);
    EXPECT_THROW(parse_release(broken, "t"), Error) << key;
  }
  file["enclaves"][0]["platform"] = "sgx";
  EXPECT_THROW(parse_release(file, "t"), Error);
  EXPECT_NO_THROW(published_releases());
}

}  // namespace
}  // namespace ffe::client
