#include <chrono>
#include <thread>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/json.hpp"
#include "cli/storage.hpp"
#include "storage/node.hpp"

namespace ffe::cli {
namespace {

struct ServeOptions {
  storage::NodeOptions node;
  std::string flow;
  std::string faults;
};

void serve(const ServeOptions& options, Terminal& terminal) {
  storage::NodeOptions node_options = options.node;
  node_options.flow_address = address_from_hex(options.flow);
  node_options.faults = storage::parse_faults(options.faults);
  storage::Node node(node_options);
  node.start();
  terminal.step("Serving", node.url() + (node_options.faults.any() ? "  (with faults)" : ""));
  terminal.result(terminal.json() ? Json{{"url", node.url()}}.dump() : node.url());
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  node.stop();
}

}  // namespace

void add_storage_serve(CLI::App& storage, Context& context) {
  auto options = std::make_shared<ServeOptions>();
  storage::NodeOptions& node = options->node;
  auto* c = storage.add_subcommand("serve", "Run a storage node and indexer (local networks)");
  c->add_option("--dir", node.dir, "Where it keeps its data")->required();
  c->add_option("--rpc-url", node.rpc_url, "The chain")->required();
  c->add_option("--flow", options->flow, "Address of the Flow contract")->required();
  c->add_option("--host", node.host, "Where it listens")->capture_default_str();
  c->add_option("--port", node.port, "0 for any free one")->capture_default_str();
  c->add_option("--shard-id", node.shard_id, "Hold segments of this number, modulo --num-shard");
  c->add_option("--num-shard", node.num_shard, "A power of two");
  c->add_option("--start-block", node.start_block, "Where the contract's events begin");
  c->add_option("--confirmations", node.confirmations, "Blocks to wait before one counts");
  c->add_option("--poll-ms", node.poll_ms, "How often it asks the chain")->capture_default_str();
  c->add_option("--public-url", node.public_url, "What its indexer calls this node");
  c->add_option("--peer", node.peers, "Another node that its indexer lists; repeatable")
      ->allow_extra_args(false);
  c->add_option("--max-body", node.max_body_bytes, "Largest request, such as 16MiB (100MiB)")
      ->transform(CLI::AsSizeValue(false));
  c->add_option("--max-writings", node.max_writings, "Segments written at once")
      ->capture_default_str();
  c->add_option("--fault", options->faults, "For tests, such as drop=0.1,corrupt=0.05");
  c->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { serve(*options, t); }; });
}

}  // namespace ffe::cli
