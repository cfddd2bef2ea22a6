// Node and client on the command line, for tests that need them as processes.
#include <CLI/CLI.hpp>
#include <iostream>
#include <thread>

#include "base/hex.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "storage/client.hpp"
#include "storage/local_chain.hpp"
#include "storage/node.hpp"

namespace {

using namespace ffe;
using namespace ffe::storage;

struct Arguments {
  std::string rpc, flow, dir, fault, file, root;
  std::vector<std::string> nodes, peers;
  int port = 0;
  uint32_t shard = 0, shards = 1;
};

int deploy(const Arguments& a) {
  testing::LocalChain chain(a.port);
  std::cout << chain.url() << " " << to_hex0x(chain.deploy_flow(30'733'644'962).bytes) << std::endl;
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return 0;
}

int serve(const Arguments& a) {
  NodeOptions o;
  o.rpc_url = a.rpc;
  o.flow_address = address_from_hex(a.flow);
  o.dir = a.dir;
  o.port = a.port;
  o.shard_id = a.shard;
  o.num_shard = a.shards;
  o.peers = a.peers;
  o.poll_ms = 50;
  o.faults = parse_faults(a.fault);
  Node node(std::move(o));
  node.start();
  std::cout << node.url() << std::endl;
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  return 0;
}

ClientOptions client_options(const Arguments& a) {
  ClientOptions o;
  o.rpc_url = a.rpc;
  o.nodes = a.nodes;
  o.poll_ms = 50;
  return o;
}

int put(const Arguments& a) {
  evm::RpcClient rpc(a.rpc);
  const crypto::PrivateKey key = testing::anvil_key();
  evm::Sender sender(rpc, key);
  const UploadResult result =
      Client(client_options(a)).upload(std::filesystem::path(a.file), sender);
  std::cout << to_hex0x(result.root.bytes) << " " << result.tx_seq << " "
            << to_hex0x(result.tx_hash.bytes) << std::endl;
  return 0;
}

int get(const Arguments& a) {
  Client(client_options(a)).download(h256_from_hex(a.root), std::filesystem::path(a.file));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("0G Storage node and client for tests");
  app.require_subcommand(1);
  auto* chain = app.add_subcommand("chain", "anvil with the Flow contract");
  chain->add_option("--port", a.port);
  auto* node = app.add_subcommand("serve", "a storage node");
  node->add_option("--rpc", a.rpc)->required();
  node->add_option("--flow", a.flow)->required();
  node->add_option("--dir", a.dir)->required();
  node->add_option("--port", a.port);
  node->add_option("--shard", a.shard);
  node->add_option("--shards", a.shards);
  node->add_option("--peer", a.peers);
  node->add_option("--fault", a.fault);
  auto* upload = app.add_subcommand("put", "upload a file");
  auto* download = app.add_subcommand("get", "download a root");
  for (auto* command : {upload, download}) {
    command->add_option("--rpc", a.rpc);
    command->add_option("--node", a.nodes)->required();
    command->add_option("--file", a.file)->required();
  }
  download->add_option("--root", a.root)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    init_log("warn");
    install_interrupt_handler();
    if (*chain) return deploy(a);
    if (*node) return serve(a);
    return *upload ? put(a) : get(a);
  } catch (const Error& e) {
    std::cerr << "error: " << e.what() << "\nhint: " << e.hint() << "\n";
    return exit_status(e.code());
  }
}
