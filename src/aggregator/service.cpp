#include "aggregator/service.hpp"

#include <chrono>
#include <ctime>
#include <map>
#include <set>
#include <thread>

#include "aggregator/api.hpp"
#include "aggregator/job.hpp"
#include "aggregator/registration.hpp"
#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "base/secret.hpp"
#include "evm/keystore.hpp"
#include "inference/service.hpp"
#include "tee/platform.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kRenewBefore = 86400;  // seconds
constexpr std::chrono::seconds kPendingPause{2};

tee::PlatformOptions platform_options(const Config& config) {
  tee::PlatformOptions out;
  out.provider = config.provider;
  out.endpoint = config.endpoint;
  out.app_id = config.app_id;
  out.simulator_dir = config.simulator_dir;
  return out;
}

tee::Platform open_platform(const Config& config) {
  tee::Platform platform = tee::open_platform(platform_options(config));
  if (!keep_out_of_swap()) {
    const std::string problem = "this machine has swap, and rows in memory could reach its disk";
    if (!platform.provider->simulated()) {
      throw Error(ErrorCode::kIo, problem, "swapoff -a, or LimitMEMLOCK=infinity for the service");
    }
    log::warn("{}", problem);
  }
  return platform;
}

fs::path make_private_dir(const fs::path& dir) {
  std::error_code ec;
  fs::create_directories(dir, ec);
  fs::permissions(dir, fs::perms::owner_all, ec);
  if (ec) throw Error(ErrorCode::kIo, "cannot create " + dir.string() + ": " + ec.message());
  return dir;
}

storage::ClientOptions storage_options(const Config& config) {
  storage::ClientOptions options;
  options.rpc_url = config.rpc_url;
  options.nodes = config.storage_nodes;
  options.indexer_url = config.indexer_url;
  return options;
}

evm::SenderOptions sender_options(const Config& config) {
  evm::SenderOptions options;
  options.wait.confirmations = config.confirmations;
  return options;
}

TokenContracts token_contracts(evm::RpcClient& rpc, const Address& inft) {
  return {inft, session::Inft(rpc, inft).verifier()};
}

}  // namespace

struct Service::Impl {
  explicit Impl(const Config& config)
      : config(config),
        data_dir(make_private_dir(config.data_dir)),
        platform(open_platform(config)),
        journal(data_dir / "journal.sqlite", platform.sealer.get()),
        rpc(config.rpc_url, session::rpc_options()),
        sender(
            rpc,
            evm::load_key_file(config.keystore_file, evm::read_password_file(config.password_file)),
            sender_options(config)),
        coordinator(rpc, config.coordinator),
        registry(rpc, config.registry),
        storage(storage_options(config)),
        blobs(data_dir / "blobs", storage, config.max_disk_bytes),
        model(config.model_path, config.model_name, config.threads),
        enclave(journal, {rpc.chain_id(), config.coordinator}, platform.provider->signing_key()),
        collateral(*platform.provider, config),
        registrar(enclave, journal, *platform.provider, collateral, registry, sender, config.payee),
        keys(enclave, token_contracts(rpc, coordinator.inft()), storage),
        inft(rpc, coordinator.inft()) {
    if (coordinator.registry() != config.registry) {
      throw Error(ErrorCode::kUsage, "chain.registry is not the coordinator's registry",
                  "the coordinator uses " + to_hex0x(coordinator.registry().bytes));
    }
    registrar.ensure(kRenewBefore);
    back_enclave();
    if (config.serving.enabled) serve_models();
    api = std::make_unique<Api>(ApiContext{config, enclave, *platform.provider, collateral, model,
                                           journal, status, registrar, keys, sealed.get()});
    write_file_atomic(data_dir / "port", as_bytes(std::to_string(api->port()) + "\n"));
  }

  void back_enclave();
  void serve_models();
  void tick();
  void close_compute();
  void visit(const evm::U256& id);
  void seal(const session::OpenedSession& opened);
  void work(const session::OpenedSession& session);
  std::optional<session::SessionState> final_state(const evm::U256& id);

  Config config;
  fs::path data_dir;
  tee::Platform platform;
  Journal journal;
  evm::RpcClient rpc;
  evm::Sender sender;
  session::Coordinator coordinator;
  session::Registry registry;
  storage::Client storage;
  BlobStore blobs;
  BaseModel model;
  Enclave enclave;
  StatusBoard status;
  CollateralFeed collateral;
  Registrar registrar;
  KeyService keys;
  session::Inft inft;
  std::unique_ptr<inference::SealedService> sealed;  // outlives the interface that calls it
  std::unique_ptr<Api> api;
  std::set<std::string> over;  // sessions that reached their end
  struct Retry {
    std::chrono::steady_clock::time_point at;
    std::chrono::seconds wait{5};
  };
  bool compute_closed = false;
  std::chrono::steady_clock::time_point close_again;
  std::map<std::string, Retry> retries;  // sessions whose last attempt failed
};

// The contract locks a payee's bond only for enclaves that the payee itself backs.
void Service::Impl::back_enclave() {
  const H256 id = registrar.current()->enclave_id;
  if (coordinator.backs(config.payee, id)) return;
  if (sender.address() == config.payee) {
    coordinator.back_enclave(sender, id, true);
  } else {
    log::warn(
        "the payee does not back this enclave: sessions with a bond cannot open; from the "
        "payee's account run: ffe bond back {}",
        to_hex0x(id.bytes));
  }
}

// On an engine of its own, beside the one that sessions train on: that one is dropped after every
// session, with whatever has seen rows.
void Service::Impl::serve_models() {
  sealed = std::make_unique<inference::SealedService>(
      inference::EnclaveParts{
          enclave.key(), keys.key(), [this] { return service_key_certificate(keys, registrar); },
          model.file(), model.tokenizer(), model.chat(), model.manifest(),
          inference::chain_look_up(inft),
          [this](const H256& root, size_t max) { return storage.download(root, max); }},
      config.serving);
}

Service::Service(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
Service::~Service() = default;
int Service::port() const {
  return impl_->api->port();
}

void Service::run() {
  log::info("serving on port {} as enclave {}", port(),
            to_hex0x(impl_->registrar.current()->enclave_id.bytes));
  while (!interrupted()) {
    try {
      impl_->tick();
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) break;
      log::warn("{}{}{}", e.what(), e.hint().empty() ? "" : "; ", e.hint());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(impl_->config.poll_ms));
  }
  log::info("stopping");
}

// Money that is locked is asked for again when it may be unlocked: not in every tick.
void Service::Impl::close_compute() {
  constexpr std::chrono::hours kAgain{6};
  const auto now = std::chrono::steady_clock::now();
  if (!config.compute.close || compute_closed || now < close_again) return;
  close_again = now + kAgain;
  compute_closed = ComputeWallet(config, enclave).close(config.payee);
  log::info(compute_closed ? "nothing is left at 0G Compute"
                           : "asked 0G Compute for the money; what is locked follows");
}

// Sessions are taken in the order in which they were opened, one at a time: each gets the whole
// machine, and none waits longer than those before it need. Who waits for something outside steps
// back.
void Service::Impl::tick() {
  close_compute();
  H256 enclave_id = registrar.ensure(kRenewBefore)->enclave_id;
  for (const evm::U256& id : coordinator.sessions_of_enclave(enclave_id)) {
    if (!over.contains(id.to_string())) visit(id);
  }
}

void Service::Impl::visit(const evm::U256& id) {
  session::SessionView view = coordinator.view(id);
  std::string name = id.to_string();
  if (view.state == session::SessionState::kOpen) {
    session::OpenedSession opened = coordinator.opened(id);
    status.stage(name, "waiting for submissions", view.submitted, opened.terms.participants.size());
    if (view.submitted >= opened.terms.quorum) seal(opened);
    return;
  }
  session::OpenedSession opened = coordinator.opened(id);
  if (view.state == session::SessionState::kSealed) work(opened);
  if (auto state = final_state(id)) {
    enclave.forget(opened.session_tag);
    const std::string scope = to_hex(opened.session_tag.bytes);
    blobs.forget(scope);
    forget_provider_files(config, scope);
    const bool failed = *state == session::SessionState::kFailed;
    status.over(name, "over: " + std::string(session::name(*state)),
                failed ? reason_of_provider(journal, scope) : "");
    over.insert(name);
  }
}

// The chain's clock decides. A block of it may be old, so this machine's clock counts as well; that
// one may be wrong, and then the contract refuses, which costs nothing and stops nothing else.
void Service::Impl::seal(const session::OpenedSession& opened) {
  const uint64_t now =
      std::max(rpc.latest_block().timestamp, static_cast<uint64_t>(std::time(nullptr)));
  if (now < opened.terms.submit_deadline) return;
  try {
    coordinator.seal(sender, opened.id);
  } catch (const evm::RevertError& e) {
    log::warn("session {} is not sealed: {}", opened.id.to_string(), e.reason());
  }
}

// As many blocks ago as make a block final here: keys that are forgotten do not come back with a
// reorganisation.
std::optional<session::SessionState> Service::Impl::final_state(const evm::U256& id) {
  const uint64_t head = rpc.block_number();
  const uint64_t behind = config.confirmations - 1;
  if (head < behind) return std::nullopt;
  const session::SessionState state = coordinator.view(id, head - behind).state;
  switch (state) {
    case session::SessionState::kNone:
    case session::SessionState::kOpen:
    case session::SessionState::kSealed:
      return std::nullopt;
    default:
      return state;
  }
}

void Service::Impl::work(const session::OpenedSession& opened) {
  JobContext context{config, journal, enclave, model, status, coordinator, storage, blobs, sender};
  std::string name = opened.id.to_string();
  auto now = std::chrono::steady_clock::now();
  auto retry = retries.find(name);
  if (retry != retries.end() && now < retry->second.at) return;
  struct Forget {
    BaseModel& model;
    ~Forget() { model.forget_rows(); }
  } forget{model};
  try {
    Job(context, opened).run();
    retries.erase(name);
  } catch (const Waiting& e) {
    log::info("session {}: {}", name, e.what());
    retries[name] = {std::chrono::steady_clock::now() + e.pause};
  } catch (const Pending& e) {
    status.error(name, e.what());
    retries[name] = {now + kPendingPause};
  } catch (const std::exception& e) {
    const auto* error = dynamic_cast<const Error*>(&e);
    if (error != nullptr && error->code() == ErrorCode::kInterrupted) throw;
    // Tried again, ever more slowly, because attempts cost gas; the contract's deadline ends what
    // cannot succeed.
    status.error(name, e.what());
    Retry& r = retries[name];
    r.at = std::chrono::steady_clock::now() + r.wait;
    r.wait = std::min(r.wait * 2, std::chrono::seconds(300));
  }
}

}  // namespace ffe::aggregator
