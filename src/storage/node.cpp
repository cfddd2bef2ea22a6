#include "storage/node.hpp"

#include <condition_variable>
#include <mutex>

#include "base/log.hpp"
#include "net/http_server.hpp"
#include "net/json_rpc_server.hpp"
#include "storage/faults.hpp"
#include "storage/follower.hpp"
#include "storage/indexer_service.hpp"
#include "storage/shards.hpp"
#include "storage/store.hpp"
#include "storage/zgs_service.hpp"

namespace ffe::storage {
namespace {

void check_options(const NodeOptions& o) {
  auto refuse = [](const std::string& why) { throw Error(ErrorCode::kUsage, why); };
  if (!Shard{o.shard_id, o.num_shard}.valid()) {
    refuse("the number of shards must be a power of two above the shard's own number");
  }
  if (o.dir.empty()) refuse("a storage node needs a folder");
  if (o.rpc_url.empty()) refuse("a storage node needs the URL of a chain");
  if (o.poll_ms <= 0 || o.threads == 0 || o.max_writings == 0) {
    refuse("poll interval, threads and writings of a storage node must be positive");
  }
}

net::HttpServerOptions server_options(const NodeOptions& o) {
  net::HttpServerOptions s;
  s.host = o.host;
  s.port = o.port;
  s.max_body = o.max_body_bytes;
  s.threads = o.threads;
  s.cors = true;
  return s;
}

net::JsonRpcServerOptions rpc_options(const NodeOptions& o) {
  net::JsonRpcServerOptions r;
  r.limits.max_bytes = o.max_body_bytes;
  return r;
}

}  // namespace

struct Node::Impl {
  explicit Impl(NodeOptions o) : options(std::move(o)), faults(options.faults) {}

  net::ServerResponse serve(const net::ServerRequest& request);
  net::ServerResponse broken(std::string body) const;
  bool sleep(int ms);  // false: the node stops
  std::string own_url() const {
    return options.public_url.empty() ? server->url() : options.public_url;
  }

  NodeOptions options;
  FaultPlan faults;
  std::unique_ptr<Store> store;
  std::unique_ptr<net::JsonRpcServer> rpc;
  std::unique_ptr<ZgsService> zgs;
  std::unique_ptr<IndexerService> indexer;
  std::unique_ptr<net::HttpServer> server;
  std::unique_ptr<Follower> follower;
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
};

bool Node::Impl::sleep(int ms) {
  std::unique_lock lock(mutex);
  return !wake.wait_for(lock, std::chrono::milliseconds(ms), [this] { return stopping; });
}

// Half an answer, then the end of the connection.
net::ServerResponse Node::Impl::broken(std::string body) const {
  net::ServerResponse response;
  response.stream = [half = body.substr(0, body.size() / 2)](net::ServerStream& stream) {
    stream.write(half);
    throw Error(ErrorCode::kFailed, "fault: connection dropped");
  };
  return response;
}

net::ServerResponse Node::Impl::serve(const net::ServerRequest& request) {
  const Fault fault = options.faults.any() ? faults.next() : Fault::kNone;
  if (fault == Fault::kStall) {
    sleep(options.faults.stall_ms);
    return broken({});
  }
  if (fault == Fault::kDelay) sleep(options.faults.delay_ms);
  net::ServerResponse response;
  response.body = rpc->answer(request.body);
  if (fault == Fault::kDrop) return broken(std::move(response.body));
  if (response.body.empty()) response.status = 204;
  return response;
}

Node::Node(Options options) {
  check_options(options);
  impl_ = std::make_unique<Impl>(std::move(options));
}

Node::~Node() {
  stop();
}

void Node::start() {
  Impl& m = *impl_;
  if (m.server) throw Error(ErrorCode::kInternal, "the storage node runs already");
  m.stopping = false;
  m.store = std::make_unique<Store>(StoreOptions{m.options.dir, m.options.flow_address,
                                                 m.options.shard_id, m.options.num_shard,
                                                 m.options.max_cache_bytes, m.options.cache_ttl_s});
  m.rpc = std::make_unique<net::JsonRpcServer>(rpc_options(m.options));
  m.zgs = std::make_unique<ZgsService>(*m.store, m.faults, m.options);
  m.zgs->attach(*m.rpc);
  m.indexer = std::make_unique<IndexerService>(*m.store, m.options, [&m] { return m.own_url(); });
  m.indexer->attach(*m.rpc);
  try {
    m.server = std::make_unique<net::HttpServer>(server_options(m.options));
    m.server->handle("POST", "/", [&m](const net::ServerRequest& r) { return m.serve(r); });
    m.server->start();
  } catch (...) {
    stop();
    throw;
  }
  m.follower = std::make_unique<Follower>(*m.store, m.options);
  log::info("storage node: shard {}/{} at {}", m.options.shard_id, m.options.num_shard, url());
}

void Node::stop() {
  Impl& m = *impl_;
  {
    std::lock_guard lock(m.mutex);
    m.stopping = true;
  }
  m.wake.notify_all();
  m.follower.reset();
  if (m.server) m.server->stop();
  m.server.reset();
  m.indexer.reset();
  m.zgs.reset();
  m.rpc.reset();
  m.store.reset();
}

int Node::port() const {
  return impl_->server ? impl_->server->port() : 0;
}

std::string Node::url() const {
  return impl_->server ? impl_->server->url() : std::string();
}

}  // namespace ffe::storage
