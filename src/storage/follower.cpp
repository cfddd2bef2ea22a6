#include "storage/follower.hpp"

#include "base/log.hpp"

namespace ffe::storage {
namespace {

constexpr uint64_t kPageBlocks = 999;  // what public endpoints of the network allow
// Endpoints behind a balancer are sometimes a few blocks late; only a head that stays behind what
// was followed already means that blocks were taken back.
constexpr unsigned kPatience = 5;

evm::RpcClient::Options rpc_options() {
  evm::RpcClient::Options options;
  options.net.connect_timeout_ms = 2'000;
  options.net.timeout_ms = 20'000;
  return options;
}

}  // namespace

Follower::Follower(Store& store, const NodeOptions& options)
    : store_(store), options_(options), rpc_(options.rpc_url, rpc_options()) {
  thread_ = std::thread([this] { run(); });
}

Follower::~Follower() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool Follower::wait() {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                         [this] { return stopping_; });
}

void Follower::run() {
  std::string last_problem;
  do {
    try {
      while (follow()) {
        std::lock_guard lock(mutex_);
        if (stopping_) return;
      }
      last_problem.clear();
    } catch (const std::exception& e) {
      identified_ = false;
      if (last_problem != e.what()) log::warn("storage node: {}", e.what());
      last_problem = e.what();
    }
  } while (wait());
}

void Follower::identify() {
  const auto genesis = rpc_.block(uint64_t{0});
  const Json id = rpc_.raw("eth_chainId");
  if (!id.is_string()) throw Error(ErrorCode::kNetwork, "eth_chainId is not a quantity");
  const uint64_t chain_id = evm::U256::parse_quantity(id.get<std::string>()).to_u64("chain id");
  store_.set_chain(chain_id, genesis ? genesis->hash : H256{});
  identified_ = true;
}

bool Follower::follow() {
  if (!identified_) identify();
  const uint64_t newest = rpc_.block_number();
  if (newest < options_.confirmations) return false;
  const uint64_t head = newest - options_.confirmations;
  const auto cursor = store_.cursor();
  if (!cursor) return head >= options_.start_block && take_page(options_.start_block, head);

  if (head < cursor->number) {
    if (++polls_behind_ < kPatience) return false;
    polls_behind_ = 0;
    identified_ = false;  // perhaps the chain began anew
    rewind_to_common(*cursor);
    return false;
  }
  polls_behind_ = 0;
  if (!on_chain(*cursor)) {
    identify();
    if (store_.cursor() == cursor) rewind_to_common(*cursor);
    return true;
  }
  return head > cursor->number && take_page(cursor->number + 1, head);
}

bool Follower::on_chain(const BlockMark& mark) {
  const auto block = rpc_.block(mark.number);
  return block && block->hash == mark.hash;
}

void Follower::rewind_to_common(const BlockMark& cursor) {
  for (const BlockMark& mark : store_.recent_blocks()) {
    if (!on_chain(mark)) continue;
    if (mark == cursor) return;
    log::info("storage node: the chain went back to block {}", mark.number);
    store_.rewind(mark.number);
    return;
  }
  log::info("storage node: no block in common with the chain any more, starting over");
  store_.rewind(std::nullopt);
}

bool Follower::take_page(uint64_t from, uint64_t head) {
  const uint64_t to = std::min(head, from + kPageBlocks - 1);
  const auto last = rpc_.block(to);
  if (!last) return false;
  evm::LogFilter filter;
  filter.addresses = {options_.flow_address};
  filter.topics = {{submit_topic()}};
  filter.from_block = from;
  filter.to_block = to;
  std::vector<Submission> submissions;
  for (const evm::Log& log : rpc_.logs(filter)) {
    try {
      submissions.push_back(parse_submission(log));
    } catch (const Error& e) {
      log::warn("storage node: passed over: {}", e.what());
    }
  }
  // The chain may have changed between the two requests.
  if (!on_chain({to, last->hash})) return false;
  store_.apply(submissions, {to, last->hash});
  return to < head;
}

}  // namespace ffe::storage
