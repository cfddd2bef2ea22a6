#include "compute/task_run.hpp"

#include <ctime>

#include "base/hex.hpp"
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
constexpr const char* kFailedHint = "nothing was charged; begin a new job";
constexpr const char* kCancelledHint = "begin a new job with a higher --max-fee";

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

void TaskRun::begin(JobRecord& record, const TaskSpec& spec, ByteView rows, uint64_t chain_id,
                    const Address& user) {
  std::string model = model_hash(spec.base_model);
  std::string params = to_json(spec.params);
  training_rows(as_text(rows), spec.way, "the dataset");
  record.put("version", std::string(kVersion));
  record.put("chainId", std::to_string(chain_id));
  record.put("user", crypto::checksum_address(user));
  record.put("provider", crypto::checksum_address(spec.provider));
  record.put("dataHash", hash_text(rows));
  record.put("way", way_name(spec.way));
  record.put("baseModel", model);
  record.put("params", params);
  record.put("maxFee", spec.max_fee.to_string());
  record.put("queue", spec.queue ? "yes" : "no");
}

class TaskRun::Impl {
 public:
  Impl(JobRecord& record, std::function<Bytes()> rows, fs::path encrypted, evm::Sender& user,
       const Contracts& contracts, TaskOptions options, TaskEvents events)
      : record_(record),
        rows_(std::move(rows)),
        encrypted_(std::move(encrypted)),
        user_(user),
        options_(std::move(options)),
        events_(std::move(events)),
        serving_(user.rpc(), contracts.fine_tuning) {
    check_record();
    provider_ = crypto::parse_address(record_.require("provider"));
  }

  bool advance() {
    if (auto why = record_.get("ended")) throw TaskEnded(false, *why, kFailedHint);
    if (auto why = record_.get("cancelled")) throw TaskEnded(true, *why, kCancelledHint);
    if (!record_.has("nonce")) prepare();
    if (!record_.has("task")) submit();
    std::optional<DeliverableView> delivered = look_for_delivery();
    if (!delivered) return false;
    if (!delivered->acknowledged) {
      fetch(*delivered);
      acknowledge();
    } else if (!fs::exists(encrypted_)) {
      fetch(*delivered);
    }
    return look_for_key();
  }

  const std::string& waiting_for() const { return waiting_for_; }
  SecretBytes model_key() const { return unwrap_model_key(user_.key(), encrypted_key_); }
  Address signer() const { return crypto::parse_address(record_.require("teeSigner")); }

  void acknowledge_unseen() {
    std::string id = record_.require("task");
    auto delivered = serving_.deliverable(user_.address(), provider_, id);
    if (!delivered) throw Error(ErrorCode::kSession, "task " + id + " is not delivered yet");
    if (!delivered->acknowledged) acknowledge();
  }

 private:
  void say(const std::string& text) const {
    if (events_.step) events_.step(text);
  }

  // What the record says must be about this wallet and this chain.
  void check_record() const {
    if (record_.require("version") != kVersion) {
      throw Error(ErrorCode::kUnsupported, "the job was made by another version of ffe");
    }
    if (record_.require("chainId") != std::to_string(user_.rpc().chain_id())) {
      throw Error(ErrorCode::kUsage, "the job belongs to chain " + record_.require("chainId"),
                  "name its network");
    }
    if (crypto::parse_address(record_.require("user")) != user_.address()) {
      throw Error(ErrorCode::kKey, "the job belongs to the account " + record_.require("user"),
                  "only that account's key opens the model");
    }
  }

  DatasetWay way() const {
    return record_.require("way") == way_name(DatasetWay::kStorage) ? DatasetWay::kStorage
                                                                    : DatasetWay::kUpload;
  }

  Bytes data() const {
    Bytes bytes = rows_();
    if (hash_text(bytes) != record_.require("dataHash")) {
      throw Error(ErrorCode::kCorrupt, "the job's rows were changed", "begin a new job");
    }
    return bytes;
  }

  TaskId task_id() const { return TaskId::parse(record_.require("task")); }

  ProviderClient& client() {
    if (!client_) {
      std::optional<ServiceView> service = serving_.service(provider_);
      if (!service) {
        throw Error(ErrorCode::kSession, "the provider " + crypto::checksum_address(provider_) +
                                             " is no longer on the chain");
      }
      check_url(*service);
      client_ = std::make_unique<ProviderClient>(service->url, options_.provider);
    }
    return *client_;
  }

  void check_url(const ServiceView& service) const {
    if (!options_.expected_url || service.url == *options_.expected_url) return;
    throw Error(
        ErrorCode::kAttestation,
        "the provider is at " + service.url + " by now; agreed on was " + *options_.expected_url,
        "nothing is sent there");
  }

  // --- before anything is paid ---

  void prepare() {
    ServiceView service = checked_service();
    attest(service);
    Bytes rows = data();
    check_money(service, rows);
    std::string hash = bring_dataset(rows);
    record_.put("datasetHash", hash);
    record_.put("nonce", next_nonce().to_string());
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
    if (options_.expected_signer && service->tee_signer != *options_.expected_signer) {
      throw Error(ErrorCode::kAttestation,
                  "the provider's enclave signs as " +
                      crypto::checksum_address(service->tee_signer) + "; agreed on was " +
                      crypto::checksum_address(*options_.expected_signer),
                  "its enclave was replaced: nothing is sent there");
    }
    check_url(*service);
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
    record_.put("teeSigner", crypto::checksum_address(service.tee_signer));
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
    evm::U256 max_fee = evm::U256::parse(record_.require("maxFee"));
    evm::U256 needed = max_fee;
    const BaseModel* model = find_base_model(record_.require("baseModel"));
    if (options_.tokens && model) {
      uint64_t tokens = count_tokens(converted.rows, options_.tokens);
      TrainingParams params = parse_training_params(record_.require("params"));
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
    H256 root = store.upload(rows, user_).root;
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
    evm::U256 nonce = evm::U256::parse(record_.require("nonce"));
    for (const TaskView& task : client().tasks(user_.address())) {
      if (task.nonce == nonce) return task.id;
    }
    return std::nullopt;
  }

  void submit() {
    std::optional<TaskId> id = find_submitted();
    if (!id) {
      TaskRequest request;
      request.base_model_hash = record_.require("baseModel");
      request.dataset_hash = record_.require("datasetHash");
      request.params = parse_training_params(record_.require("params"));
      request.nonce = evm::U256::parse(record_.require("nonce"));
      request.wait = record_.require("queue") == "yes";
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
    record_.put("task", id->text());
    say("Task " + id->text() + " is created");
  }

  // The chain says when it is delivered; the provider's state is for people, and for failures.
  std::optional<DeliverableView> look_for_delivery() {
    std::string id = record_.require("task");
    if (auto d = serving_.deliverable(user_.address(), provider_, id)) return checked(*d);
    TaskView task = client().task(user_.address(), task_id());
    if (task.state != state_) {
      state_ = task.state;
      if (events_.state) events_.state(state_);
    }
    if (state_ == "Failed") fail();
    check_fee(task);
    waiting_for_ = "task " + id + " is still in state " + state_;
    return std::nullopt;
  }

  DeliverableView checked(const DeliverableView& d) {
    if (d.settled && !d.acknowledged) {
      throw Error(ErrorCode::kSession,
                  "the provider settled task " + d.id +
                      " with the penalty before it was acknowledged; its key stays unpublished",
                  "nothing can be done for this task; begin a new job");
    }
    record_.put("modelRoot", to_hex0x(d.model_root_hash));
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
    record_.put("ended", "the provider's task failed\n" + log);
    throw TaskEnded(false, record_.require("ended"), kFailedHint);
  }

  // Above the limit the task is cancelled, which works until training begins.
  void check_fee(const TaskView& task) {
    if (task.fee <= evm::U256::parse(record_.require("maxFee")) || task.state == "Failed") return;
    client().cancel(user_.key(), task.id);
    record_.put("cancelled", "the provider asks " + evm::format_ether(task.fee) +
                                 " 0G, above the limit of " +
                                 evm::format_ether(evm::U256::parse(record_.require("maxFee"))) +
                                 " 0G: the task is cancelled");
    throw TaskEnded(true, record_.require("cancelled"), kCancelledHint);
  }

  // --- the model ---

  // The encrypted file, as the chain promised it and signed by the attested signer. Another file is
  // never acknowledged: that would pay for it.
  void fetch(const DeliverableView& delivered) {
    if (!fs::exists(encrypted_)) {
      if (!from_storage(delivered)) {
        client().download(user_.key(), task_id(), encrypted_, events_.downloading);
      }
    }
    if (match_model_root(encrypted_, delivered.model_root_hash) == ModelRoot::kNone) {
      discard("the model that was delivered is not the one whose hash the provider put on chain");
    }
    Address signer = crypto::parse_address(record_.require("teeSigner"));
    Address found;
    try {
      found = deliverable_signer(encrypted_);
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
    fs::remove(encrypted_);
    throw Error(
        ErrorCode::kCorrupt, why,
        "not acknowledged, so at most the penalty is lost; try again: " + record_.how_to_go_on());
  }

  // False if nobody on 0G Storage has it: then the provider does.
  bool from_storage(const DeliverableView& delivered) {
    if (options_.storage.nodes.empty() && options_.storage.indexer_url.empty()) return false;
    try {
      std::vector<H256> roots = parse_model_root(delivered.model_root_hash);
      storage::Client store(options_.storage);
      if (!store.info(roots.front())) return false;
      store.download_fragments(roots, encrypted_, events_.downloading);
      return true;
    } catch (const Error& e) {
      if (e.code() == ErrorCode::kInterrupted) throw;
      return false;
    }
  }

  void acknowledge() {
    std::string id = record_.require("task");
    try {
      serving_.acknowledge_deliverable(user_, provider_, id);
    } catch (const evm::RevertError& e) {
      throw Error(ErrorCode::kChain, e.what(), revert_hint(e.name()));
    }
    say("Acknowledged");
  }

  bool look_for_key() {
    std::string id = record_.require("task");
    auto d = serving_.deliverable(user_.address(), provider_, id);
    if (d && !d->encrypted_secret.empty()) {
      encrypted_key_ = d->encrypted_secret;
      return true;
    }
    if (d && d->settled) {
      throw Error(ErrorCode::kSession, "task " + id + " was settled without a key",
                  "the provider broke the contract's rules; nothing can be done");
    }
    waiting_for_ = "the key of task " + id + " is not published yet";
    return false;
  }

  JobRecord& record_;
  std::function<Bytes()> rows_;
  fs::path encrypted_;
  evm::Sender& user_;
  TaskOptions options_;
  TaskEvents events_;
  FineTuningServing serving_;
  Address provider_;
  std::unique_ptr<ProviderClient> client_;
  std::string state_;
  std::string waiting_for_;
  Bytes encrypted_key_;
};

TaskRun::TaskRun(JobRecord& record, std::function<Bytes()> rows, fs::path encrypted,
                 evm::Sender& user, const Contracts& contracts, TaskOptions options,
                 TaskEvents events)
    : impl_(std::make_unique<Impl>(record, std::move(rows), std::move(encrypted), user, contracts,
                                   std::move(options), std::move(events))) {}
TaskRun::~TaskRun() = default;
bool TaskRun::advance() {
  return impl_->advance();
}
const std::string& TaskRun::waiting_for() const {
  return impl_->waiting_for();
}
SecretBytes TaskRun::model_key() const {
  return impl_->model_key();
}
Address TaskRun::signer() const {
  return impl_->signer();
}
void TaskRun::acknowledge_unseen() {
  impl_->acknowledge_unseen();
}

}  // namespace ffe::compute
