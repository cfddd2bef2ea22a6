#include <thread>

#include "base/interrupt.hpp"
#include "cli/compute.hpp"
#include "crypto/address.hpp"
#include "lm/model_store.hpp"
#include "provider/provider.hpp"

namespace ffe::cli {
namespace {

struct ServeOptions {
  ComputeOptions compute;
  provider::ProviderOptions provider;
  std::string model;
  std::string price;
  std::string root = "keccak";
  uint64_t poll_ms = 60'000;
  std::vector<std::string> faults;
};

provider::RootKind root_from_name(const std::string& name) {
  if (name == "keccak") return provider::RootKind::kKeccak;
  if (name == "storage") return provider::RootKind::kStorage;
  if (name == "storage-text") return provider::RootKind::kStorageText;
  throw Error(ErrorCode::kUsage, "unknown root \"" + name + "\"",
              "known: keccak, storage, storage-text");
}

void serve(const ServeOptions& o, Terminal& terminal) {
  ComputeNetwork network = compute_network(o.compute);
  provider::ProviderOptions options = o.provider;
  options.model = lm::find_model(o.model);
  options.rpc_url = network.rpc_url;
  options.contracts = network.contracts;
  options.inference = network.inference;
  options.storage = network.storage;
  options.poll = std::chrono::milliseconds(o.poll_ms);
  options.root = root_from_name(o.root);
  if (!o.price.empty()) options.price_per_token = evm::U256::parse(o.price);
  for (const std::string& name : o.faults) options.faults.insert(provider::fault_from_name(name));
  provider::Provider provider(options, load_key(o.compute.account));
  provider.start();
  std::string address = crypto::checksum_address(provider.address());
  terminal.step("Serving",
                "provider " + address + " at " + provider.url() + " (no TEE: for tests only)");
  terminal.result(terminal.json() ? Json{{"url", provider.url()}, {"provider", address}}.dump()
                                  : provider.url());
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  provider.stop();
}

}  // namespace

void add_compute_serve(CLI::App& compute, Context& context) {
  auto options = std::make_shared<ServeOptions>();
  provider::ProviderOptions& p = options->provider;
  auto* c = compute.add_subcommand("serve", "Run a provider (local networks, tests)");
  add_compute_options(*c, options->compute, true);
  c->add_option("--dir", p.dir, "Where it keeps its data")->required();
  c->add_option("--model", options->model, "The model behind every base model's hash");
  c->add_option("--threads", p.threads, "Of training; 0: all cores");
  c->add_option("--host", p.host, "Where it listens")->capture_default_str();
  c->add_option("--port", p.port, "0 for any free one")->capture_default_str();
  c->add_option("--poll-ms", options->poll_ms, "How often it looks for work")
      ->capture_default_str();
  c->add_option("--price", options->price, "Wei for a token");
  c->add_option("--root", options->root, "modelRootHash: keccak, storage or storage-text")
      ->capture_default_str();
  c->add_option("--acknowledge-within", p.acknowledge_within, "Seconds until the penalty")
      ->capture_default_str();
  c->add_option("--rate", p.requests_per_second, "Requests a second and address; 0: no limit");
  c->add_option("--burst", p.burst, "Requests at once before --rate counts")->capture_default_str();
  c->add_option("--inference-model", p.inference_model, "What inference calls the base model")
      ->capture_default_str();
  c->add_flag("--legacy-report-data", p.legacy_report_data, "The older layout in its evidence");
  c->add_option("--fault", options->faults, "For tests, such as wrong-signer; repeatable")
      ->allow_extra_args(false);
  c->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { serve(*options, t); }; });
}

}  // namespace ffe::cli
