#include "aggregator/provider_training.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "compute/archive.hpp"
#include "compute/deliverable.hpp"
#include "tee/collateral_source.hpp"
#include "tee/verify.hpp"

namespace ffe::aggregator {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kLocalChain = 31337;
// Tasks that the provider ends without charging; then the session fails at its deadline.
constexpr unsigned kAttempts = 3;
// Below that, no provider is paid: the model would come too late.
constexpr uint64_t kLeastSeconds = 600;
constexpr uint64_t kMaxArchive = uint64_t{2} << 30;
constexpr const char* kAttempt = "0g attempt";
constexpr const char* kReason = "0g reason";

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

fs::path folder_of(const Config& config, const std::string& scope) {
  return config.data_dir / "compute" / scope;
}

Json row_json(const lm::Row& row) {
  if (row.kind == lm::Row::Kind::kText) {
    return {{"instruction", ""}, {"input", ""}, {"output", row.text}};
  }
  const std::vector<lm::Message>& turns = row.messages;
  size_t question = turns.size() - 1;
  while (question > 0 && turns[question].role != "user") --question;
  std::string before;
  for (size_t i = 0; i + 1 < turns.size(); ++i) {
    if (i == question) continue;
    before += (before.empty() ? "" : "\n") + turns[i].role + ": " + turns[i].content;
  }
  return {{"instruction", turns[question].content},
          {"input", before},
          {"output", turns.back().content}};
}

compute::TaskSpec spec_of(const session::Recipe& recipe) {
  const session::ComputeProvider& c = *recipe.compute;
  compute::TaskSpec spec;
  spec.provider = c.provider;
  spec.way = compute::DatasetWay::kUpload;  // over 0G Storage everybody could read the rows
  spec.base_model = to_hex0x(c.base_model.bytes);
  spec.params.num_train_epochs = recipe.epochs;
  spec.params.per_device_train_batch_size = c.batch_size;
  spec.params.learning_rate = recipe.learning_rate_nano / 1e9;
  spec.params.max_steps = c.max_steps == 0 ? -1 : static_cast<int64_t>(c.max_steps);
  spec.max_fee = c.max_fee;
  spec.queue = true;
  return spec;
}

void require_finite(const lm::LoraAdapter& adapter) {
  auto finite = [](const std::vector<float>& values) {
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  };
  for (const auto& [module, m] : adapter.modules) {
    if (finite(m.a) && finite(m.b)) continue;
    throw Error(ErrorCode::kCorrupt,
                "the provider's adapter holds values that are no numbers, in " + module);
  }
}

}  // namespace

void check_trainer(const session::Recipe& recipe, const Config& config, uint64_t chain_id) {
  if (!session::leaves_enclave(recipe)) return;
  const session::ComputeProvider& c = *recipe.compute;
  if (!config.compute.offered()) {
    throw Error(ErrorCode::kBadInput, "recipe: this enclave trains by itself only",
                "set trainer to \"enclave\", or find an operator with an account at 0G Compute");
  }
  if (c.max_fee > config.compute.max_fee) {
    throw Error(ErrorCode::kBadInput,
                "recipe.compute.maxFee is above the " + evm::format_ether(config.compute.max_fee) +
                    " 0G that this operator pays for a training",
                "lower it");
  }
  if (chain_id != kLocalChain && !c.url.starts_with("https://")) {
    throw Error(ErrorCode::kBadInput,
                "recipe.compute.url is not https: everybody on the way could read the rows",
                "choose a provider that serves https");
  }
}

std::string provider_rows(const std::vector<const lm::Row*>& rows) {
  std::string out;
  for (const lm::Row* row : rows) out += row_json(*row).dump() + "\n";
  return out;
}

SessionRecord::SessionRecord(Journal& journal, std::string scope, unsigned attempt)
    : journal_(journal), scope_(std::move(scope)), prefix_("0g " + std::to_string(attempt) + " ") {}

std::optional<std::string> SessionRecord::get(std::string_view key) const {
  std::optional<Bytes> value = journal_.get(scope_, prefix_ + std::string(key));
  if (!value) return std::nullopt;
  return std::string(as_text(*value));
}

void SessionRecord::put(std::string_view key, const std::string& value) {
  journal_.put(scope_, prefix_ + std::string(key), as_bytes(value));
}

ProviderTraining::ProviderTraining(JobContext& context, const session::Recipe& recipe,
                                   std::string scope, std::string id, uint64_t deadline)
    : context_(context),
      recipe_(recipe),
      scope_(std::move(scope)),
      id_(std::move(id)),
      deadline_(deadline),
      wallet_(context.config, context.enclave),
      record_(context.journal, scope_, attempt()) {}

unsigned ProviderTraining::attempt() const {
  std::optional<Bytes> saved = context_.journal.get(scope_, kAttempt);
  return saved ? static_cast<unsigned>(std::stoul(std::string(as_text(*saved)))) : 1;
}

fs::path ProviderTraining::encrypted() const {
  return folder_of(context_.config, scope_) / "model.enc";
}

compute::TaskOptions ProviderTraining::options() const {
  const Config& config = context_.config;
  compute::TaskOptions out;
  out.provider.attempts = 3;  // the session is tried again anyway
  out.provider.first_pause =
      std::chrono::seconds(std::min<uint32_t>(config.compute.poll_seconds, 10));
  out.expected_signer = recipe_.compute->signer;
  out.expected_url = recipe_.compute->url;
  out.verify = [&config](const compute::QuoteCheck& check) {
    if (check.level == compute::QuoteLevel::kNone) return;  // a mock, on a local network only
    tee::CollateralSourceOptions source;
    if (!config.pccs_url.empty()) {
      source.url = config.pccs_url;
      source.root_crl_url.clear();
      source.ca_file = config.pccs_ca_file;
    }
    source.cache_dir = config.data_dir / "collateral";
    const int64_t time = std::time(nullptr);
    const tee::Collateral collateral =
        tee::CollateralSource(source).get(tee::parse_quote(check.quote), time);
    tee::verify(check.quote, collateral, tee::intel_root(), time, tee::Policy{}).require();
  };
  return out;
}

void ProviderTraining::wait() {
  if (!record_.has("task")) return;
  // The rows are with the provider: nobody asks for them again.
  advance([]() -> std::string { throw Error(ErrorCode::kInternal, "the rows were sent already"); });
}

void ProviderTraining::advance(const std::function<std::string()>& rows) {
  const uint64_t now = static_cast<uint64_t>(std::time(nullptr));
  if (!record_.has("task") && now + kLeastSeconds > deadline_) {
    throw Error(ErrorCode::kSession, "too little time is left to train at the 0G Compute provider");
  }
  if (!record_.has("queue")) {
    compute::TaskRun::begin(record_, spec_of(recipe_), as_bytes(rows()),
                            context_.enclave.domain().chain_id, wallet_.sender().address());
  }
  if (record_.has("nonce")) {
    wallet_.keep_gas(context_.sender);
  } else {
    context_.status.stage(id_, "paying for the training");
    wallet_.fund(context_.sender, recipe_.compute->provider, recipe_.compute->max_fee);
  }
  fs::create_directories(encrypted().parent_path());
  task_ = std::make_unique<compute::TaskRun>(
      record_,
      [rows] {
        const std::string text = rows();
        return Bytes(text.begin(), text.end());
      },
      encrypted(), wallet_.sender(), wallet_.contracts(), options(), compute::TaskEvents{});
  step(*task_);
}

// A task that ended uncharged is followed by another, a few times.
void ProviderTraining::step(compute::TaskRun& task) {
  const std::chrono::seconds pause(context_.config.compute.poll_seconds);
  try {
    if (task.advance()) return;
  } catch (const compute::TaskEnded& e) {
    // Its log follows the first line; that is no text for everybody.
    const std::string why = first_line(e.what());
    context_.journal.set(scope_, kReason, as_bytes(why));
    if (e.cancelled || attempt() >= kAttempts) throw Error(ErrorCode::kSession, why);
    context_.journal.set(scope_, kAttempt, as_bytes(std::to_string(attempt() + 1)));
    throw Waiting(why + "; another one follows", pause);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kInterrupted) {
      context_.journal.set(scope_, kReason, as_bytes(first_line(e.what())));
    }
    throw;
  }
  context_.status.stage(id_, "training at the 0G Compute provider: " + task.waiting_for());
  throw Waiting(task.waiting_for(), pause);
}

lm::LoraAdapter ProviderTraining::train(const std::function<std::string()>& rows,
                                        const lm::ModelConfig& model) {
  if (!task_) advance(rows);
  context_.status.stage(id_, "opening the provider's model");
  try {
    return open(model);
  } catch (const Error& e) {
    context_.journal.set(scope_, kReason, as_bytes(first_line(e.what())));
    throw;
  }
}

// In memory only: the disk belongs to the host.
lm::LoraAdapter ProviderTraining::open(const lm::ModelConfig& model) {
  const SecretBytes key = task_->model_key();
  const Bytes zip =
      compute::deliverable_content(encrypted(), key.view(), task_->signer(), kMaxArchive);
  const auto files = compute::adapter_files(zip, {.max_bytes = kMaxArchive});
  lm::LoraAdapter adapter =
      lm::parse_peft_files(files.at("adapter_model.safetensors"),
                           as_text(files.at("adapter_config.json")), model, "the provider's model");
  if (adapter.rank != recipe_.rank || adapter.alpha != recipe_.alpha ||
      adapter.targets.size() != recipe_.targets.size()) {
    throw Error(ErrorCode::kCorrupt,
                "the provider's adapter is not of the recipe's rank, alpha "
                "and targets");
  }
  require_finite(adapter);
  return adapter;
}

std::string reason_of_provider(const Journal& journal, const std::string& scope) {
  std::optional<Bytes> reason = journal.get(scope, kReason);
  return reason ? std::string(as_text(*reason)) : std::string();
}

void forget_provider_files(const Config& config, const std::string& scope) {
  std::error_code ignored;
  fs::remove_all(folder_of(config, scope), ignored);
}

}  // namespace ffe::aggregator
