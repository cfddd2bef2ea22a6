#include "compute/job.hpp"

#include <ctime>
#include <map>

#include "base/file.hpp"
#include "base/interrupt.hpp"
#include "compute/deliverable.hpp"

namespace ffe::compute {
namespace {

namespace fs = std::filesystem;

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

const fs::path& existing(const fs::path& folder) {
  if (!has_journal(folder)) {
    throw Error(ErrorCode::kUsage, folder.string() + " holds no job",
                "begin one: ffe compute task run");
  }
  return folder;
}

// A record that nobody keeps: mistakes show before a folder is made.
class Draft : public JobRecord {
 public:
  std::optional<std::string> get(std::string_view key) const override {
    auto it = members_.find(std::string(key));
    return it == members_.end() ? std::nullopt : std::optional(it->second);
  }
  void put(std::string_view key, const std::string& value) override {
    members_.emplace(std::string(key), value);
  }
  std::string place() const override { return "the job"; }
  std::string how_to_go_on() const override { return {}; }

 private:
  std::map<std::string, std::string> members_;
};

}  // namespace

void Job::create(const fs::path& folder, const JobSpec& spec, uint64_t chain_id,
                 const Address& user) {
  Bytes data = read_file(spec.dataset, kMaxUpload);
  training_rows(as_text(data), spec.way, spec.dataset.string());
  Draft draft;
  TaskRun::begin(draft, spec, data, chain_id, user);
  JobJournal journal(folder);
  if (!journal.empty()) {
    throw Error(ErrorCode::kUsage, folder.string() + " holds a job already",
                "take it up: ffe compute task resume " + folder.string());
  }
  // The rows as they were: the file may change, the job does not.
  write_file_atomic(folder / "data.jsonl", data, 0600);
  TaskRun::begin(journal, spec, data, chain_id, user);
  journal.put("created", std::to_string(std::time(nullptr)));
}

class Job::Impl {
 public:
  Impl(const fs::path& folder, evm::Sender& user, const Contracts& contracts, JobOptions options,
       JobEvents events)
      : journal_(existing(folder)),
        options_(options),
        events_(events),
        task_(
            journal_, [this] { return read_file(journal_.folder() / "data.jsonl", kMaxUpload); },
            encrypted(), user, contracts, std::move(options), std::move(events)) {}

  fs::path run() {
    fs::path adapter = journal_.folder() / "adapter";
    if (journal_.has("opened")) return adapter;
    Patience patience(options_.give_up);
    while (!task_.advance()) {
      if (patience.over()) {
        throw Error(ErrorCode::kSession, task_.waiting_for(),
                    "go on later: " + journal_.how_to_go_on());
      }
      interruptible_sleep(options_.poll);
    }
    open(adapter);
    return adapter;
  }

  void acknowledge_unseen() { task_.acknowledge_unseen(); }

 private:
  fs::path encrypted() const { return journal_.folder() / "model.enc"; }

  void open(const fs::path& adapter) {
    fs::path zip = journal_.folder() / "model.zip";
    SecretBytes key = task_.model_key();
    open_deliverable(encrypted(), key.view(), task_.signer(), zip);
    // Left by an attempt that ended between the two lines below.
    if (fs::exists(adapter)) fs::remove_all(adapter);
    unzip_adapter(zip, adapter);
    fs::remove(zip);
    journal_.put("opened", std::to_string(std::time(nullptr)));
    if (events_.step) events_.step("The adapter is in " + adapter.string());
  }

  JobJournal journal_;
  JobOptions options_;
  JobEvents events_;
  TaskRun task_;
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
