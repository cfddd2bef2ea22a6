// Logs over long ranges of blocks: providers limit how many they answer at once.
#include <algorithm>

#include "evm/rpc.hpp"
#include "evm/rpc_json.hpp"

namespace ffe::evm {
namespace {

// Providers word their limits in many ways and under many codes, so every refusal of a range of
// several blocks is tried again with fewer, except those that say nothing about its size.
bool may_be_size(const net::JsonRpcError& error) {
  constexpr int kMethodNotFound = -32601;
  constexpr int kParseError = -32700;
  return error.rpc_code != kMethodNotFound && error.rpc_code != kParseError;
}

}  // namespace

std::vector<Log> RpcClient::one_log_page(const LogFilter& filter, uint64_t from, uint64_t to) {
  Json answer = rpc_.call("eth_getLogs", Json::array({filter_to_json(filter, from, to)}));
  if (!answer.is_array()) {
    throw Error(ErrorCode::kNetwork, "the node's answer to eth_getLogs is not a list");
  }
  std::vector<Log> out;
  for (const Json& item : answer) {
    if (item.is_object() && item.contains("removed") && item["removed"] == true) continue;
    out.push_back(log_from_json(item));
    if (!filter_matches(filter, from, to, out.back())) {
      throw Error(ErrorCode::kNetwork, "the node's answer to eth_getLogs has logs not asked for");
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const Log& a, const Log& b) {
    return std::pair(a.block_number, a.log_index) < std::pair(b.block_number, b.log_index);
  });
  return out;
}

void RpcClient::each_log_page(
    const LogFilter& filter,
    const std::function<void(const std::vector<Log>&, uint64_t last)>& page) {
  const uint64_t end = filter.to_block ? *filter.to_block : block_number();
  uint64_t blocks = std::max<uint64_t>(options_.log_page, 1);
  for (uint64_t from = filter.from_block; from <= end;) {
    uint64_t to = end - from < blocks ? end : from + blocks - 1;
    std::vector<Log> logs;
    try {
      logs = one_log_page(filter, from, to);
    } catch (const net::JsonRpcError& e) {
      if (from == to || !may_be_size(e)) throw Error(ErrorCode::kChain, e.what(), e.hint());
      blocks = (to - from + 1) / 2;
      continue;
    }
    page(logs, to);
    if (to == end) return;
    from = to + 1;
  }
}

std::vector<Log> RpcClient::logs(const LogFilter& filter) {
  std::vector<Log> out;
  each_log_page(filter, [&](const std::vector<Log>& page, uint64_t) {
    if (page.size() > options_.max_logs - out.size()) {
      throw Error(ErrorCode::kChain,
                  "more than " + std::to_string(options_.max_logs) + " logs in the range",
                  "ask for fewer blocks at a time");
    }
    out.insert(out.end(), page.begin(), page.end());
  });
  return out;
}

}  // namespace ffe::evm
