#include <fmt/format.h>

#include "base/file.hpp"
#include "cli/compute.hpp"
#include "compute/base_models.hpp"
#include "compute/job.hpp"
#include "crypto/address.hpp"
#include "lm/model_store.hpp"
#include "lm/tokenizer.hpp"
#include "lm/weights.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  ComputeOptions compute;
  fs::path data;
  fs::path folder;
  std::string provider;
  std::string task;
  std::string model = "Qwen2.5-0.5B-Instruct";
  std::string tokenizer;  // a local model with the same tokenizer
  std::string max_fee = "0.1";
  compute::TrainingParams params;
  bool over_storage = false;
  bool queue = false;
  bool accept = false;
  uint64_t poll_seconds = 15;
  uint64_t give_up_minutes = 0;
  uint64_t acknowledge_hours = 6;
};

// The provider's tokenizer, if a model with it is on this machine.
std::function<size_t(std::string_view)> tokens_of(const std::string& model) {
  if (model.empty()) return {};
  auto file = std::make_shared<lm::ModelFile>(lm::ModelFile::open(lm::find_model(model)));
  auto tokenizer = std::make_shared<lm::Tokenizer>(lm::Tokenizer::from(*file));
  return [file, tokenizer](std::string_view text) { return tokenizer->encode(text).size(); };
}

compute::JobOptions job_options(const Options& o, const ComputeNetwork& network) {
  compute::JobOptions out;
  out.poll = std::chrono::seconds(o.poll_seconds);
  out.give_up = std::chrono::minutes(o.give_up_minutes);
  out.acknowledge_within = o.acknowledge_hours * 3600;
  out.storage = network.storage;
  out.tokens = tokens_of(o.tokenizer);
  return out;
}

void finish(const Options& o, ComputeSession& session, evm::Sender& sender, Terminal& terminal) {
  compute::JobEvents events;
  events.step = [&](const std::string& text) { terminal.note(text); };
  events.state = [&](const std::string& state) { terminal.step("Task", state); };
  fs::path adapter = compute::Job(o.folder, sender, session.network.contracts,
                                  job_options(o, session.network), events)
                         .run();
  terminal.result(terminal.json() ? Json{{"adapter", adapter.string()}}.dump() : adapter.string());
}

void take_up(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  finish(o, session, sender, terminal);
}

void run(const Options& o, Terminal& terminal) {
  if (!o.accept) {
    throw Error(
        ErrorCode::kUsage,
        "0G Compute does not encrypt datasets end to end: the provider, and over 0G Storage "
        "everybody, can read these rows",
        "if that is right for them, say so: --accept-provider-sees-data");
  }
  ComputeSession session(o.compute);
  compute::JobSpec spec;
  spec.provider = crypto::parse_address(o.provider);
  spec.dataset = o.data;
  spec.way = o.over_storage ? compute::DatasetWay::kStorage : compute::DatasetWay::kUpload;
  spec.base_model = o.model;
  spec.params = o.params;
  spec.max_fee = evm::parse_ether(o.max_fee);
  spec.queue = o.queue;
  // Once: a password that is asked for is asked for once.
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  compute::Job::create(o.folder, spec, session.rpc.chain_id(), sender.address());
  finish(o, session, sender, terminal);
}

compute::ProviderClient client_of(const Options& o, ComputeSession& session) {
  auto service = session.serving.service(crypto::parse_address(o.provider));
  if (!service) throw Error(ErrorCode::kUsage, "no service of " + o.provider + " on this network");
  return compute::ProviderClient(service->url);
}

void list(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  Address user = load_key(o.compute.account).address();
  Json json = Json::array();
  std::string text;
  for (const compute::TaskView& t : client_of(o, session).tasks(user)) {
    json.push_back({{"id", t.id.text()},
                    {"state", t.state},
                    {"feeWei", t.fee.to_string()},
                    {"nonce", t.nonce.to_string()},
                    {"datasetHash", t.dataset_hash},
                    {"baseModelHash", t.base_model_hash}});
    text += fmt::format("{}  {}  fee {} 0G\n", t.id.text(), t.state, evm::format_ether(t.fee));
  }
  if (terminal.json()) return terminal.result(json.dump());
  if (text.empty()) return terminal.note("no tasks at this provider");
  text.pop_back();
  terminal.result(text);
}

void show_log(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  std::string log = client_of(o, session)
                        .log(load_key(o.compute.account).address(), compute::TaskId::parse(o.task));
  // A container's output, with anything in it.
  for (char& c : log) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = ' ';
  }
  terminal.result(terminal.json()
                      ? Json{{"log", log}}.dump(-1, ' ', false, Json::error_handler_t::replace)
                      : log);
}

void cancel(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  client_of(o, session).cancel(load_key(o.compute.account), compute::TaskId::parse(o.task));
  terminal.result(terminal.json() ? Json{{"cancelled", o.task}}.dump() : "cancelled");
}

void acknowledge(const Options& o, Terminal& terminal) {
  ComputeSession session(o.compute);
  evm::Sender sender(session.rpc, load_key(o.compute.account));
  with_compute_hints([&] {
    print_tx(terminal,
             session.serving.acknowledge_deliverable(sender, crypto::parse_address(o.provider),
                                                     compute::TaskId::parse(o.task).text()));
  });
}

void add_run_options(CLI::App& c, Options& o) {
  c.add_option("data", o.data, "JSONL rows")->required()->check(CLI::ExistingFile);
  c.add_option("--provider", o.provider, "Its address (see: ffe compute providers)")->required();
  c.add_option("--model", o.model, "Base model: a name, or a provider's own by its hash")
      ->capture_default_str();
  c.add_option("--epochs", o.params.num_train_epochs, "1 to 10; the fee grows with them")
      ->capture_default_str();
  c.add_option("--batch-size", o.params.per_device_train_batch_size, "1 to 4")
      ->capture_default_str();
  c.add_option("--learning-rate", o.params.learning_rate, "0.00001 to 0.001")
      ->capture_default_str();
  c.add_option("--max-steps", o.params.max_steps, "-1: by epochs")->capture_default_str();
  c.add_option("--neftune", o.params.neftune_noise_alpha,
               "0 to 10; asked for by the interface, without effect in 0G's trainer")
      ->capture_default_str();
  c.add_option("--max-fee", o.max_fee, "In 0G; a task that costs more is cancelled")
      ->capture_default_str();
  c.add_flag("--over-storage", o.over_storage, "Send the rows over 0G Storage, where all can read");
  c.add_flag("--queue", o.queue, "Wait behind other users' tasks");
  c.add_flag("--accept-provider-sees-data", o.accept, "The provider can read the rows");
}

void add_job_options(CLI::App& c, Options& o) {
  c.add_option("--tokenizer", o.tokenizer,
               "Local model with the base model's tokenizer, to know the fee beforehand");
  c.add_option("--poll-seconds", o.poll_seconds, "How often to look")->capture_default_str();
  c.add_option("--give-up-minutes", o.give_up_minutes, "Without a delivery; 0: never")
      ->capture_default_str();
  c.add_option("--acknowledge-hours", o.acknowledge_hours,
               "The provider's time for an acknowledgement")
      ->capture_default_str();
}

}  // namespace

void add_compute_task(CLI::App& compute, Context& context) {
  auto* task = compute.add_subcommand("task", "One fine-tuning task, from rows to an adapter");
  task->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto add = [&](const char* name, const char* text, void (*work)(const Options&, Terminal&)) {
    auto* command = task->add_subcommand(name, text);
    command->callback([&context, options, work] {
      context.chosen = [options, work](Terminal& t) { work(*options, t); };
    });
    add_compute_options(*command, options->compute, true);
    return command;
  };
  auto* run_command = add("run", "Send rows, train, fetch and open the adapter", run);
  add_run_options(*run_command, *options);
  run_command->add_option("--out", options->folder, "New folder of the job")->required();
  add_job_options(*run_command, *options);

  auto* resume = add("resume", "Go on with a job where it stopped", take_up);
  resume->add_option("folder", options->folder, "The job's")->required();
  add_job_options(*resume, *options);

  auto* list_command = add("list", "Tasks at a provider", list);
  list_command->add_option("provider", options->provider, "Its address")->required();
  auto add_for_one = [&](const char* name, const char* text,
                         void (*work)(const Options&, Terminal&)) {
    auto* command = add(name, text, work);
    command->add_option("provider", options->provider, "Its address")->required();
    command->add_option("task", options->task, "Its id")->required();
  };
  add_for_one("log", "What the provider wrote about a task", show_log);
  add_for_one("cancel", "Give a task up before it is trained", cancel);
  add_for_one("acknowledge",
              "Pay for a delivered task without its model, so that the next can come", acknowledge);
}

}  // namespace ffe::cli
