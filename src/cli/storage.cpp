#include <chrono>
#include <fmt/format.h>
#include <thread>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"
#include "storage/client.hpp"
#include "storage/merkle.hpp"
#include "storage/node.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;

struct StorageOptions {
  AccountOptions account;
  fs::path file;
  fs::path out;
  std::string root;
  storage::NodeOptions node;
  std::string flow;
  std::string faults;
};

void put(const StorageOptions& options, Terminal& terminal) {
  client::Client client = open_client(options.account);
  Progress bar = terminal.bar("Uploading", options.file.filename().string(), "B");
  storage::UploadResult r = client.storage().upload(options.file, client.sender(), bar);
  terminal.finish_bar();
  if (r.tx_hash.is_zero()) terminal.step("Skipped", "the network holds this file already");
  if (terminal.json()) {
    terminal.result(Json{{"root", to_hex0x(r.root.bytes)},
                         {"txSeq", r.tx_seq},
                         {"txHash", to_hex0x(r.tx_hash.bytes)}}
                        .dump());
  } else {
    terminal.result(to_hex0x(r.root.bytes));
  }
}

void get(const StorageOptions& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  Progress bar = terminal.bar("Downloading", options.out.filename().string(), "B");
  client.storage().download(h256_from_hex(options.root), options.out, bar);
  terminal.finish_bar();
  if (terminal.json()) {
    terminal.result(
        Json{{"file", options.out.string()}, {"size", fs::file_size(options.out)}}.dump());
  } else {
    terminal.result(options.out.string());
  }
}

void root(const StorageOptions& options, Terminal& terminal) {
  std::string text = to_hex0x(storage::data_root_of_file(options.file).bytes);
  terminal.result(terminal.json() ? Json{{"root", text}}.dump() : text);
}

void info(const StorageOptions& options, Terminal& terminal) {
  client::Client client = open_reader(options.account.network);
  std::optional<storage::FileInfo> file = client.storage().info(h256_from_hex(options.root));
  if (!file) {
    throw Error(ErrorCode::kNetwork, "no node knows " + options.root,
                "check the root and the network");
  }
  if (terminal.json()) {
    terminal.result(Json{{"root", to_hex0x(file->root.bytes)},
                         {"size", file->size},
                         {"txSeq", file->tx_seq},
                         {"finalized", file->finalized},
                         {"pruned", file->pruned},
                         {"uploadedSegments", file->uploaded_segments}}
                        .dump());
  } else {
    terminal.result(fmt::format("size       {}\ntxSeq      {}\nfinalized  {}\nsegments   {}",
                                file->size, file->tx_seq, file->finalized ? "yes" : "no",
                                file->uploaded_segments));
  }
}

void serve(StorageOptions options, Terminal& terminal) {
  options.node.flow_address = address_from_hex(options.flow);
  options.node.faults = storage::parse_faults(options.faults);
  storage::Node node(options.node);
  node.start();
  terminal.step("Serving", node.url() + (options.node.faults.any() ? "  (with faults)" : ""));
  terminal.result(terminal.json() ? Json{{"url", node.url()}}.dump() : node.url());
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  node.stop();
}

}  // namespace

void add_storage(CLI::App& app, Context& context) {
  auto* storage = app.add_subcommand("storage", "0G Storage: client and node");
  storage->require_subcommand(1);
  auto options = std::make_shared<StorageOptions>();
  auto choose = [&context, options](void (*run)(const StorageOptions&, Terminal&)) {
    return [&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    };
  };

  auto* put_command = storage->add_subcommand("put", "Store a file; prints its root");
  put_command->add_option("file", options->file)->required();
  add_account_options(*put_command, options->account);
  put_command->callback(choose(put));

  auto* get_command =
      storage->add_subcommand("get", "Fetch a file by its root, every segment proven");
  get_command->add_option("root", options->root)->required();
  get_command->add_option("out", options->out)->required();
  add_network_option(*get_command, options->account.network);
  get_command->callback(choose(get));

  auto* root_command = storage->add_subcommand("root", "Compute a file's root, offline");
  root_command->add_option("file", options->file)->required();
  root_command->callback(choose(root));

  auto* info_command = storage->add_subcommand("info", "What the nodes know about a root");
  info_command->add_option("root", options->root)->required();
  add_network_option(*info_command, options->account.network);
  info_command->callback(choose(info));

  auto* serve_command = storage->add_subcommand("serve", "Run a storage node (local networks)");
  serve_command->add_option("--dir", options->node.dir, "Where it keeps its data")->required();
  serve_command->add_option("--rpc-url", options->node.rpc_url, "The chain")->required();
  serve_command->add_option("--flow", options->flow, "Address of the Flow contract")->required();
  serve_command->add_option("--host", options->node.host);
  serve_command->add_option("--port", options->node.port);
  serve_command->add_option("--shard-id", options->node.shard_id);
  serve_command->add_option("--num-shard", options->node.num_shard);
  serve_command->add_option("--fault", options->faults, "For tests, such as drop=0.1,corrupt=0.05");
  serve_command->callback(
      [&context, options] { context.chosen = [options](Terminal& t) { serve(*options, t); }; });
}

}  // namespace ffe::cli
