#include "cli/storage.hpp"

#include <fmt/format.h>
#include <iterator>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "cli/account.hpp"
#include "cli/command.hpp"

namespace ffe::cli {
namespace {

namespace fs = std::filesystem;
using storage::UploadResult;

struct StorageOptions {
  AccountOptions account;
  std::string rpc_url;
  std::vector<std::string> nodes;
  std::string indexer;
  fs::path file;
  fs::path out;
  std::vector<std::string> roots;
  uint64_t fragment_bytes = storage::kFragmentBytes;
  storage::ClientOptions client;  // those that have flags
  std::string max_price;
  bool no_wait = false;
  bool force = false;
};

storage::ClientOptions network_endpoints(const std::string& name) {
  if (name == "galileo" || name == "aristotle") return storage::network_options(name);
  return client::storage_options(client::find_network(name));
}

// Named endpoints go before the network's. Who names all that a command needs needs no network.
storage::ClientOptions endpoints(const StorageOptions& o, bool pays) {
  const bool nodes_named = !o.nodes.empty() || !o.indexer.empty();
  const bool complete = nodes_named && (!pays || !o.rpc_url.empty());
  storage::ClientOptions out = o.client;
  const std::string& name = o.account.network;
  if (!name.empty() || !complete) {
    const auto network = network_endpoints(name.empty() ? user_config().network : name);
    out.rpc_url = network.rpc_url;
    out.nodes = network.nodes;
    out.indexer_url = network.indexer_url;
    out.flow = network.flow;
  }
  if (!o.rpc_url.empty()) out.rpc_url = o.rpc_url;
  if (nodes_named) {
    out.nodes = o.nodes;
    out.indexer_url = o.indexer;
  }
  if (!o.max_price.empty()) out.max_price = evm::U256::parse(o.max_price);
  out.wait_finality = !o.no_wait;
  return out;
}

H256 parse_root(const std::string& text) {
  try {
    return h256_from_hex(text);
  } catch (const Error&) {
    throw Error(ErrorCode::kUsage, "\"" + text + "\" is not a root",
                "a root is 0x and 64 hexadecimal digits, as ffe storage put prints it");
  }
}

// One bar at a time: naming another stage ends the one before.
class Stages {
 public:
  Stages(Terminal& terminal, std::string text) : terminal_(terminal), text_(std::move(text)) {}

  Progress stage(std::string verb) {
    return [this, verb = std::move(verb)](uint64_t done, uint64_t total) {
      if (verb != current_) {
        end();
        current_ = verb;
        bar_ = terminal_.bar(verb, text_, "B");
      }
      bar_(done, total);
    };
  }
  void end() {
    terminal_.finish_bar();
    current_.clear();
  }

 private:
  Terminal& terminal_;
  std::string text_;
  std::string current_;
  Progress bar_;
};

Json to_json(const UploadResult& r) {
  return {{"root", to_hex0x(r.root.bytes)},
          {"txSeq", r.tx_seq},
          {"txHash", to_hex0x(r.tx_hash.bytes)},
          {"fee", r.fee.to_string()}};
}

void print_roots(const std::vector<H256>& roots, Terminal& terminal, Json document) {
  if (terminal.json()) {
    terminal.result(document.dump());
    return;
  }
  for (const H256& root : roots) terminal.result(to_hex0x(root.bytes));
}

void put(const StorageOptions& options, Terminal& terminal) {
  const storage::ClientOptions where = endpoints(options, true);
  evm::RpcClient rpc(where.rpc_url);
  evm::Sender sender(rpc, load_key(options.account));
  Stages stages(terminal, options.file.filename().string());
  const storage::UploadEvents events{
      stages.stage("Hashing"), stages.stage("Uploading"),
      [&](const H256& root, const evm::U256& fee) {
        stages.end();
        terminal.step("Paying", evm::format_ether(fee) + " 0G and gas for " + to_hex0x(root.bytes));
      }};
  const std::vector<UploadResult> parts =
      storage::Client(where).upload_fragments(options.file, sender, events, options.fragment_bytes);
  stages.end();
  std::vector<H256> roots;
  Json fragments = Json::array();
  for (const UploadResult& part : parts) {
    if (part.tx_hash.is_zero()) {
      terminal.step("Skipped", "paid for before, not paid again: " + to_hex0x(part.root.bytes));
    }
    roots.push_back(part.root);
    fragments.push_back(to_json(part));
  }
  print_roots(roots, terminal,
              parts.size() == 1 ? fragments[0] : Json{{"fragments", std::move(fragments)}});
}

// Which of 0G's own client-side encryptions a file seems to carry.
std::optional<int> encryption_of(const fs::path& file) {
  const auto source = storage::open_source(file);
  Bytes head(std::min<uint64_t>(source->size(), 2));
  source->read(0, head);
  return storage::official_encryption(head, source->size());
}

void get(StorageOptions options, Terminal& terminal) {
  // The last argument: the parser has no form for one name after many.
  options.out = options.roots.back();
  options.roots.pop_back();
  if (fs::exists(options.out) && !options.force) {
    throw Error(ErrorCode::kUsage, options.out.string() + " exists already",
                "name another file, or replace it with --force");
  }
  std::vector<H256> roots;
  for (const std::string& text : options.roots) roots.push_back(parse_root(text));
  Stages stages(terminal, options.out.filename().string());
  storage::Client(endpoints(options, false))
      .download_fragments(roots, options.out, stages.stage("Downloading"));
  stages.end();
  const std::optional<int> encryption = encryption_of(options.out);
  if (encryption) {
    terminal.warn(fmt::format(
        "{} begins like a file that 0G's own clients encrypted ({}); it was saved as it is stored. "
        "If it is one, decrypt it with the client that uploaded it",
        options.out.string(),
        *encryption == 1 ? "version 1, AES-256 key" : "version 2, to a public key"));
  }
  const uint64_t size = fs::file_size(options.out);
  if (terminal.json()) {
    Json result{{"file", options.out.string()}, {"size", size}};
    if (encryption) result["officialEncryption"] = *encryption;
    terminal.result(result.dump());
  } else {
    terminal.result(options.out.string());
  }
}

void root(const StorageOptions& options, Terminal& terminal) {
  Stages stages(terminal, options.file.filename().string());
  const std::vector<H256> roots =
      storage::fragment_roots(options.file, options.fragment_bytes, stages.stage("Hashing"));
  stages.end();
  Json list = Json::array();
  for (const H256& r : roots) list.push_back(to_hex0x(r.bytes));
  print_roots(roots, terminal,
              roots.size() == 1 ? Json{{"root", list[0]}} : Json{{"fragments", std::move(list)}});
}

std::string state_of(const storage::FileInfo& file) {
  if (file.finalized) return "complete";
  return fmt::format("{} of {} segments", file.uploaded_segments,
                     storage::file_shape(file.size).segments);
}

void info(const StorageOptions& options, Terminal& terminal) {
  const H256 root = parse_root(options.roots.front());
  const std::vector<storage::Location> found =
      storage::Client(endpoints(options, false)).locations(root);
  if (found.empty()) {
    throw Error(ErrorCode::kNetwork, "no node knows " + to_hex0x(root.bytes),
                "check the root and the network");
  }
  const storage::FileInfo& file = found.front().info;
  if (terminal.json()) {
    Json nodes = Json::array();
    for (const storage::Location& at : found) {
      nodes.push_back({{"url", at.url},
                       {"shardId", at.shard.id},
                       {"numShard", at.shard.count},
                       {"txSeq", at.info.tx_seq},
                       {"finalized", at.info.finalized},
                       {"uploadedSegments", at.info.uploaded_segments}});
    }
    terminal.result(Json{{"root", to_hex0x(file.root.bytes)},
                         {"size", file.size},
                         {"segments", storage::file_shape(file.size).segments},
                         {"txSeq", file.tx_seq},
                         {"finalized", file.finalized},
                         {"nodes", std::move(nodes)}}
                        .dump());
    return;
  }
  terminal.result(fmt::format("size      {}\nsegments  {}\ntxSeq     {}", file.size,
                              storage::file_shape(file.size).segments, file.tx_seq));
  for (const storage::Location& at : found) {
    terminal.result(fmt::format("node      {}  shard {}/{}  {}", at.url, at.shard.id,
                                at.shard.count, state_of(at.info)));
  }
}

void add_endpoint_options(CLI::App& command, StorageOptions& options) {
  command.add_option("--rpc-url", options.rpc_url, "The chain, instead of the network's");
  command
      .add_option("--node", options.nodes, "A storage node instead of the network's; repeatable")
      ->allow_extra_args(false);
  command.add_option("--indexer", options.indexer, "An indexer instead of the network's");
  command.add_option("--workers", options.client.workers, "Requests at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

void add_fragment_option(CLI::App& command, StorageOptions& options) {
  command
      .add_option("--fragment-size", options.fragment_bytes,
                  "Cut larger files at this power of two, such as 1GiB (default and most: 4GiB)")
      ->transform(CLI::AsSizeValue(false));
}

}  // namespace

void add_storage(CLI::App& app, Context& context) {
  auto* storage = app.add_subcommand("storage", "0G Storage: client and node");
  storage->require_subcommand(1);
  auto options = std::make_shared<StorageOptions>();
  options->account.network.clear();
  auto add = [&](const char* name, const char* what,
                 std::function<void(const StorageOptions&, Terminal&)> run) {
    auto* command = storage->add_subcommand(name, what);
    command->callback([&context, options, run] {
      context.chosen = [options, run](Terminal& t) { run(*options, t); };
    });
    return command;
  };
  const char* kNetworkHelp = "devnet (default), galileo, aristotle, or a network file";

  auto* put_command = add("put", "Store a file; prints its root (of a large file, several)", put);
  put_command->add_option("file", options->file, "Any file")->required();
  add_account_options(*put_command, options->account);
  add_endpoint_options(*put_command, *options);
  add_fragment_option(*put_command, *options);
  put_command
      ->add_option("--replicas", options->client.replicas, "Nodes that must hold each segment")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  put_command->add_flag("--no-wait", options->no_wait, "Do not wait until the nodes confirm it");
  put_command->add_option("--max-price", options->max_price,
                          "Pay no more than this, in wei for 256 bytes (default: 10^12)");

  auto* get_command = add("get", "Fetch a file by its root, every segment proven", get);
  get_command
      ->add_option("root", options->roots,
                   "Its root, or those of its fragments in order; then the file to write")
      ->required()
      ->expected(2, 100'000)
      ->type_name("ROOT... OUT");
  get_command->add_option("--network", options->account.network, kNetworkHelp);
  add_endpoint_options(*get_command, *options);
  get_command->add_flag("--force", options->force, "Replace OUT if it exists");

  auto* root_command = add("root", "Compute a file's root, offline", root);
  root_command->add_option("file", options->file, "Any file")->required();
  add_fragment_option(*root_command, *options);

  auto* info_command = add("info", "What the nodes know about a root", info);
  info_command->add_option("root", options->roots, "Root of the file, 32 bytes in hex")
      ->required()
      ->expected(1);
  info_command->add_option("--network", options->account.network, kNetworkHelp);
  add_endpoint_options(*info_command, *options);

  add_storage_serve(*storage, context);
}

}  // namespace ffe::cli
