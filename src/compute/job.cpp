#include "compute/job.hpp"

#include <ctime>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "compute/base_models.hpp"
#include "compute/deliverable.hpp"
#include "crypto/keccak.hpp"
#include "crypto/random.hpp"
#include "tee/collateral_source.hpp"
#include "tee/verify.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLocalChain = 31337;
constexpr std::string_view kVersion = "ffe.compute.job.v1";

std::string way_name(DatasetWay way) {
  return way == DatasetWay::kStorage ? "storage" : "upload";
}

std::string hash_text(ByteView bytes) {
  return to_hex0x(crypto::keccak256(bytes).bytes);
}

// Only characters that the broker's lookup, a case-sensitive comparison of texts, can find.
std::string model_hash(const std::string& name_or_hash) {
  if (const BaseModel* model = find_base_model(name_or_hash)) return std::string(model->hash);
  if (name_or_hash.starts_with("0x")) return to_hex0x(h256_from_hex(name_or_hash).bytes);
  std::string names;
  for (const BaseModel& model : base_models()) {
    names += (names.empty() ? "" : ", ") + std::string(model.name);
  }
  throw Error(ErrorCode::kUsage, "unknown base model \"" + name_or_hash + "\"", "known: " + names);
}

std::string words_of_losses(const TrainingRows& rows) {
  std::string out;
  auto add = [&](size_t count, const char* what) {
    if (count != 0) out += (out.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  add(rows.lost_system_prompts, "system prompts");
  add(rows.lost_turns, "earlier turns");
  add(rows.lost_texts, "\"text\" rows");
  return out;
}

uint64_t now() {
  return static_cast<uint64_t>(std::time(nullptr));
}

// How long to go on waiting; 0 seconds: for ever.
class Patience {
 public:
  explicit Patience(std::chrono::seconds time)
      : endless_(time.count() == 0), end_(std::chrono::steady_clock::now() + time) {}
  bool over() const { return !endless_ && std::chrono::steady_clock::now() > end_; }

 private:
  bool endless_;
  std::chrono::steady_clock::time_point end_;
};

std::string clock_text(uint64_t seconds) {
  return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
}

}  // namespace

void verify_dcap(const QuoteCheck& check) {
  if (check.level == QuoteLevel::kNone) return;
  int64_t time = static_cast<int64_t>(now());
  tee::CollateralSource source;
  tee::Collateral collateral = source.get(tee::parse_quote(check.quote), time);
  tee::verify(check.quote, collateral, tee::intel_root(), time, tee::Policy{}).require();
}

void Job::create(const fs::path& folder, const JobSpec& spec, uint64_t chain_id,
                 const Address& user) {
  std::string model = model_hash(spec.base_model);
  std::string params = to_json(spec.params);
  Bytes data = read_file(spec.dataset, kMaxUpload);
  training_rows(as_text(data), spec.way, spec.dataset.string());
  JobJournal journal(folder);
  if (!journal.empty()) {
    throw Error(ErrorCode::kUsage, folder.string() + " holds a job already",
                "take it up: ffe compute task resume " + folder.string());
  }
  // The rows as they were: the file may change, the job does not.
  write_file_atomic(folder / "data.jsonl", data, 0600);
  journal.put("version", std::string(kVersion));
  journal.put("chainId", std::to_string(chain_id));
  journal.put("user", crypto::checksum_address(user));
  journal.put("provider", crypto::checksum_address(spec.provider));
  journal.put("dataHash", hash_text(data));
  journal.put("way", way_name(spec.way));
  journal.put("baseModel", model);
  journal.put("params", params);
  journal.put("maxFee", spec.max_fee.to_string());
  journal.put("queue", spec.queue ? "yes" : "no");
  journal.put("created", std::to_string(now()));
}

class Job::Impl {
 public:
  Impl(const fs::path& folder, evm::Sender& user, const Contracts& contracts, JobOptions options,
       JobEvents events)
      : journal_(existing(folder)),
        user_(user),
        contracts_(contracts),
        options_(std::move(options)),
        events_(std::move(events)),
        serving_(user.rpc(), contracts.fine_tuning),
        provider_(crypto::parse_address(journal_.require("provider"))) {
    check_journal();
  }

  fs::path run() {
    fs::path adapter = journal_.folder() / "adapter";
    if (journal_.has("opened")) return adapter;
    if (!journal_.has("nonce")) prepare();
    if (!journal_.has("task")) submit();
    DeliverableView delivered = await_delivery();
    if (!delivered.acknowledged) {
      fetch(delivered);
      acknowledge();
    } else if (!fs::exists(encrypted())) {
      fetch(delivered);
    }
    open(await_key(), adapter);
    return adapter;
  }

  void acknowledge_unseen() {
    std::string id = journal_.require("task");
    auto delivered = serving_.deliverable(user_.address(), provider_, id);
    if (!delivered) throw Error(ErrorCode::kSession, "task " + id + " is not delivered yet");
    if (!delivered->acknowledged) acknowledge();
  }

 private:
  static const fs::path& existing(const fs::path& folder) {
    if (!has_journal(folder)) {
      throw Error(ErrorCode::kUsage, folder.string() + " holds no job",
                  "begin one: ffe compute task run");
    }
    return folder;
  }

  void say(const std::string& text) const {
    if (events_.step) events_.step(text);
  }

  // What the journal says must be about this wallet and this chain.
  void check_journal() {
    if (journal_.require("version") != kVersion) {
      throw Error(ErrorCode::kUnsupported, "the job was made by another version of ffe");
    }
    if (journal_.require("chainId") != std::to_string(user_.rpc().chain_id())) {
      throw Error(ErrorCode::kUsage, "the job belongs to chain " + journal_.require("chainId"),
                  "name its network");
    }
    if (crypto::parse_address(journal_.require("user")) != user_.address()) {
      throw Error(ErrorCode::kKey, "the job belongs to the account " + journal_.require("user"),
                  "only that account's key opens the model");
    }
  }

  fs::path encrypted() const { return journal_.folder() / "model.enc"; }

  DatasetWay way() const {
    return journal_.require("way") == way_name(DatasetWay::kStorage) ? DatasetWay::kStorage
                                                                     : DatasetWay::kUpload;
  }

  Bytes data() const {
    Bytes bytes = read_file(journal_.folder() / "data.jsonl", kMaxUpload);
    if (hash_text(bytes) != journal_.require("dataHash")) {
      throw Error(ErrorCode::kCorrupt, "the job's data.jsonl was changed", "begin a new job");
    }
    return bytes;
  }

  TaskId task_id() const { return TaskId::parse(journal_.require("task")); }

  ProviderClient& client() {
    if (!client_) {
      std::optional<ServiceView> service = serving_.service(provider_);
      if (!service) {
        throw Error(ErrorCode::kSession, "the provider " + crypto::checksum_address(provider_) +
                                             " is no longer on the chain");
      }
      client_ = std::make_unique<ProviderClient>(service->url, options_.provider);
    }
    return *client_;
  }

  // --- before anything is paid ---

  void prepare() {
    ServiceView service = checked_service();
    attest(service);
    Bytes rows = data();
    check_money(service, rows);
    std::string hash = bring_dataset(rows);
    journal_.put("datasetHash", hash);
    journal_.put("nonce", next_nonce().to_string());
  }

  ServiceView checked_service() const {
    std::optional<ServiceView> service = serving_.service(provider_);
    if (!service) {
      throw Error(ErrorCode::kUsage,
                  "no service of " + crypto::checksum_address(provider_) + " on this network",
                  "look at the providers: ffe compute providers");
    }
    if (!service->tee_signer_acknowledged) {
      throw Error(ErrorCode::kAttestation, "0G has not acknowledged this provider's enclave",
                  "choose another provider, or wait until it has");
    }
    return *service;
  }

  void attest(const ServiceView& service) {
    bool local = user_.rpc().chain_id() == kLocalChain;
    QuoteCheck check = check_quote(client().quote(), service.tee_signer, local);
    if (options_.verify) {
      options_.verify(check);
    } else {
      verify_dcap(check);
    }
    journal_.put("teeSigner", crypto::checksum_address(service.tee_signer));
    switch (check.level) {
      case QuoteLevel::kNone:
        return say("The provider has a mock TEE: nothing protects the data");
      case QuoteLevel::kSigner:
        return say("A TDX guest vouches for the signer; nothing says which code runs in it");
      case QuoteLevel::kApplication:
        return say("A TDX guest vouches for the signer and the hash of its compose file");
    }
  }

  void check_money(const ServiceView& service, ByteView rows) {
    TrainingRows converted = training_rows(as_text(rows), way(), "data.jsonl");
    if (std::string lost = words_of_losses(converted); !lost.empty()) {
      say("The provider will not train on " + lost + " of this file");
    }
    std::optional<AccountView> account = serving_.account(user_.address(), provider_);
    evm::U256 max_fee = evm::U256::parse(journal_.require("maxFee"));
    evm::U256 needed = max_fee;
    const BaseModel* model = find_base_model(journal_.require("baseModel"));
    if (options_.tokens && model) {
      uint64_t tokens = count_tokens(converted.rows, options_.tokens);
      TrainingParams params = parse_training_params(journal_.require("params"));
      evm::U256 fee = task_fee(tokens, service.price_per_token, params.num_train_epochs, *model);
      needed = fee + fee / evm::U256(5);
      say("The fee is about " + evm::format_ether(fee) + " 0G for " + std::to_string(tokens) +
          " tokens");
      if (fee > max_fee) {
        throw Error(ErrorCode::kUsage,
                    "the fee of about " + evm::format_ether(fee) + " 0G is above the limit of " +
                        evm::format_ether(max_fee) + " 0G",
                    "allow more: --max-fee");
      }
    }
    if (!account || account->free() < needed) {
      throw Error(ErrorCode::kChain,
                  "the sub-account has " +
                      evm::format_ether(account ? account->free() : evm::U256()) + " 0G free and " +
                      evm::format_ether(needed) + " 0G may be needed",
                  "fund it: ffe compute fund " + crypto::checksum_address(provider_) + " " +
                      evm::format_ether(needed));
    }
    check_queue(*account);
  }

  // A delivered task that nobody acknowledged blocks every later one.
  void check_queue(const AccountView& account) const {
    if (account.deliverables.empty() || account.deliverables.back().acknowledged) return;
    const DeliverableView& last = account.deliverables.back();
    if (last.settled) {
      say("An earlier task was settled without its acknowledgement; a provider with the contract "
          "as published cannot deliver again");
      return;
    }
    throw Error(ErrorCode::kSession,
                "task " + last.id +
                    " is delivered and not acknowledged: the provider cannot "
                    "deliver another",
                "take it up, or give it up at its full fee: ffe compute task acknowledge " +
                    crypto::checksum_address(provider_) + " " + last.id);
  }

  std::string bring_dataset(ByteView rows) {
    if (way() == DatasetWay::kUpload) {
      std::string hash = client().upload_dataset(user_.key(), "data.jsonl", rows);
      say("The dataset is at the provider, who can read it");
      return hash;
    }
    storage::Client store(options_.storage);
    H256 root = store.upload(journal_.folder() / "data.jsonl", user_).root;
    say("The dataset is on 0G Storage, unencrypted: whoever knows its root can read it");
    return to_hex0x(root.bytes);
  }

  // Milliseconds and four more digits, as other programs count; drawn, because a nonce also tells
  // one job's task from another's. Above the last settled one.
  evm::U256 next_nonce() const {
    auto time = std::chrono::system_clock::now().time_since_epoch();
    auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    FixedBytes<8> random;
    crypto::random_bytes(random.bytes);
    evm::U256 nonce = evm::U256(static_cast<uint64_t>(milliseconds)) * evm::U256(10'000) +
                      evm::U256(get_be64(random.data()) % 10'000);
    std::optional<AccountView> account = serving_.account(user_.address(), provider_);
    return account && nonce <= account->nonce ? account->nonce + evm::U256(1) : nonce;
  }

  // --- the task ---

  // The nonce is on disk, so a task of it is ours, whoever saw the answer.
  std::optional<TaskId> find_submitted() {
    evm::U256 nonce = evm::U256::parse(journal_.require("nonce"));
    for (const TaskView& task : client().tasks(user_.address())) {
      if (task.nonce == nonce) return task.id;
    }
    return std::nullopt;
  }

  void submit() {
    std::optional<TaskId> id = find_submitted();
    if (!id) {
      TaskRequest request;
      request.base_model_hash = journal_.require("baseModel");
      request.dataset_hash = journal_.require("datasetHash");
      request.params = parse_training_params(journal_.require("params"));
      request.nonce = evm::U256::parse(journal_.require("nonce"));
      request.wait = journal_.require("queue") == "yes";
      try {
        id = client().create_task(user_.key(), request);
      } catch (const ProviderError&) {
        throw;
      } catch (const Error& e) {
        if (e.code() != ErrorCode::kNetwork) throw;
        id = find_submitted();  // the answer was lost; the task may be there
        if (!id) throw;
      }
    }
    journal_.put("task", id->text());
    say("Task " + id->text() + " is created");
  }

  // The chain says when it is delivered; the provider's state is for people, and for failures.
  DeliverableView await_delivery() {
    std::string id = journal_.require("task"), state;
    Patience patience(options_.give_up);
    while (true) {
      auto delivered = serving_.deliverable(user_.address(), provider_, id);
      if (delivered) return checked(*delivered);
      TaskView task = client().task(user_.address(), task_id());
      if (task.state != state) {
        state = task.state;
        if (events_.state) events_.state(state);
      }
      if (state == "Failed") fail();
      check_fee(task);
      if (patience.over()) give_up("task " + id + " is still in state " + state);
      wait();
    }
  }

  DeliverableView checked(const DeliverableView& d) {
    if (d.settled && !d.acknowledged) {
      throw Error(ErrorCode::kSession,
                  "the provider settled task " + d.id +
                      " with the penalty before it was acknowledged; its key stays unpublished",
                  "nothing can be done for this task; begin a new job");
    }
    journal_.put("modelRoot", to_hex0x(d.model_root_hash));
    if (!d.acknowledged) {
      uint64_t window = std::min(options_.acknowledge_within, serving_.lock_time() / 2);
      uint64_t end = d.timestamp + window, time = now();
      say("Delivered; to be acknowledged within " + clock_text(end > time ? end - time : 0));
    }
    return d;
  }

  [[noreturn]] void fail() {
    std::string log;
    try {
      log = client().log(user_.address(), task_id());
    } catch (const Error&) {  // the reason is a help, no more
    }
    if (log.size() > 600) log = "…" + log.substr(log.size() - 600);
    for (char& c : log) {
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') c = ' ';
    }
    throw Error(ErrorCode::kSession, "the provider's task failed\n" + log,
                "nothing was charged; begin a new job");
  }

  // Above the limit the task is cancelled, which works until training begins.
  void check_fee(const TaskView& task) {
    if (task.fee <= evm::U256::parse(journal_.require("maxFee")) || task.state == "Failed") return;
    client().cancel(user_.key(), task.id);
    throw Error(ErrorCode::kSession,
                "the provider asks " + evm::format_ether(task.fee) + " 0G, above the limit of " +
                    evm::format_ether(evm::U256::parse(journal_.require("maxFee"))) +
                    " 0G: the task is cancelled",
                "begin a new job with a higher --max-fee");
  }

  // --- the model ---

  // The encrypted file, as the chain promised it and signed by the attested signer. Another file is
  // never acknowledged: that would pay for it.
  void fetch(const DeliverableView& delivered) {
    if (!fs::exists(encrypted())) {
      if (!from_storage(delivered)) {
        client().download(user_.key(), task_id(), encrypted(), events_.downloading);
      }
    }
    if (match_model_root(encrypted(), delivered.model_root_hash) == ModelRoot::kNone) {
      discard("the model that was delivered is not the one whose hash the provider put on chain");
    }
    Address signer = crypto::parse_address(journal_.require("teeSigner"));
    Address found;
    try {
      found = deliverable_signer(encrypted());
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kCorrupt) throw;
      discard(e.what());
    }
    if (found != signer) {
      discard("the model is signed by " + crypto::checksum_address(found) +
              ", not by the provider's enclave");
    }
    say("The model is here: its hash and its enclave's signature are right");
  }

  [[noreturn]] void discard(const std::string& why) {
    fs::remove(encrypted());
    throw Error(ErrorCode::kCorrupt, why,
                "not acknowledged, so at most the penalty is lost; try again: ffe compute task "
                "resume " +
                    journal_.folder().string());
  }

  // False if nobody on 0G Storage has it: then the provider does.
  bool from_storage(const DeliverableView& delivered) {
    if (options_.storage.nodes.empty() && options_.storage.indexer_url.empty()) return false;
    try {
      std::vector<H256> roots = parse_model_root(delivered.model_root_hash);
      storage::Client store(options_.storage);
      if (!store.info(roots.front())) return false;
      store.download_fragments(roots, encrypted(), events_.downloading);
      return true;
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) throw;
      return false;
    }
  }

  void acknowledge() {
    std::string id = journal_.require("task");
    try {
      serving_.acknowledge_deliverable(user_, provider_, id);
    } catch (const evm::RevertError& e) {
      throw Error(ErrorCode::kChain, e.what(), revert_hint(e.name()));
    }
    say("Acknowledged");
  }

  Bytes await_key() {
    std::string id = journal_.require("task");
    Patience patience(options_.give_up);
    while (true) {
      auto d = serving_.deliverable(user_.address(), provider_, id);
      if (d && !d->encrypted_secret.empty()) return d->encrypted_secret;
      if (d && d->settled) {
        throw Error(ErrorCode::kSession, "task " + id + " was settled without a key",
                    "the provider broke the contract's rules; nothing can be done");
      }
      if (patience.over()) give_up("the key of task " + id + " is not published yet");
      wait();
    }
  }

  void open(ByteView encrypted_secret, const fs::path& adapter) {
    fs::path zip = journal_.folder() / "model.zip";
    SecretBytes key = unwrap_model_key(user_.key(), encrypted_secret);
    open_deliverable(encrypted(), key.view(), crypto::parse_address(journal_.require("teeSigner")),
                     zip);
    // Left by an attempt that ended between the two lines below.
    if (fs::exists(adapter)) fs::remove_all(adapter);
    unzip_adapter(zip, adapter);
    fs::remove(zip);
    journal_.put("opened", std::to_string(now()));
    say("The adapter is in " + adapter.string());
  }

  [[noreturn]] void give_up(const std::string& why) const {
    throw Error(ErrorCode::kSession, why,
                "go on later: ffe compute task resume " + journal_.folder().string());
  }

  void wait() {
    auto until = std::chrono::steady_clock::now() + options_.poll;
    while (std::chrono::steady_clock::now() < until) {
      check_interrupt();
      std::this_thread::sleep_for(std::min(options_.poll, std::chrono::milliseconds(100)));
    }
  }

  JobJournal journal_;
  evm::Sender& user_;
  Contracts contracts_;
  JobOptions options_;
  JobEvents events_;
  FineTuningServing serving_;
  Address provider_;
  std::unique_ptr<ProviderClient> client_;
};

Job::Job(const fs::path& folder, evm::Sender& user, const Contracts& contracts, JobOptions options,
         JobEvents events)
    : impl_(
          std::make_unique<Impl>(folder, user, contracts, std::move(options), std::move(events))) {}
Job::~Job() = default;
fs::path Job::run() {
  return impl_->run();
}
void Job::acknowledge_unseen() {
  impl_->acknowledge_unseen();
}

}  // namespace ffe::compute
