#include "evm/rpc.hpp"

#include "base/hex.hpp"
#include "crypto/address.hpp"
#include "crypto/keccak.hpp"
#include "evm/poll.hpp"
#include "evm/rpc_json.hpp"

namespace ffe::evm {
namespace {

constexpr int kExecutionReverted = 3;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::optional<Bytes> hex_inside(std::string_view text) {
  size_t at = text.find("0x");
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at);
  text = text.substr(0, text.find_first_of(" \"'"));
  try {
    return from_hex(text);
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::optional<Bytes> data_inside(const Json& value, int depth = 0) {
  if (value.is_string()) return hex_inside(value.get_ref<const std::string&>());
  if (!value.is_object() || depth == 3) return std::nullopt;
  for (const char* key : {"data", "result", "originalError"}) {
    auto it = value.find(key);
    if (it == value.end()) continue;
    if (std::optional<Bytes> found = data_inside(*it, depth + 1)) return found;
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const net::JsonRpcError& error) {
  bool funds = contains(error.rpc_message, "insufficient funds") ||
               contains(error.rpc_message, "Insufficient funds");
  throw Error(ErrorCode::kChain, error.what(),
              funds ? "fund the account, then run the same command again" : "");
}

std::string address_text(const std::optional<Address>& to) {
  return to ? "call to " + crypto::checksum_address(*to) : "deployment";
}

}  // namespace

std::optional<Bytes> revert_data(const net::JsonRpcError& error) {
  bool reverted = error.rpc_code == kExecutionReverted || contains(error.rpc_message, "revert");
  if (!reverted && !contains(error.rpc_message, "VM execution error")) return std::nullopt;
  if (std::optional<Bytes> data = data_inside(error.data)) return data;
  return reverted ? std::optional<Bytes>(Bytes{}) : std::nullopt;
}

RpcClient::RpcClient(std::string url) : RpcClient(std::move(url), Options()) {}

RpcClient::RpcClient(std::string url, Options options)
    : options_(std::move(options)), rpc_(std::move(url), options_.net) {}

Json RpcClient::raw(std::string_view method, Json params) {
  return rpc_.call(method, std::move(params));
}

Json RpcClient::ask(std::string_view method, Json params) {
  try {
    return rpc_.call(method, std::move(params));
  } catch (const net::JsonRpcError& e) {
    refuse(e);
  }
}

uint64_t RpcClient::chain_id() {
  std::lock_guard lock(mutex_);
  if (!chain_id_) chain_id_ = u64_from_json(ask("eth_chainId", Json::array()), "eth_chainId");
  return *chain_id_;
}

uint64_t RpcClient::block_number() {
  return u64_from_json(ask("eth_blockNumber", Json::array()), "eth_blockNumber");
}

std::optional<Block> RpcClient::block(const BlockTag& tag) {
  Json answer = ask("eth_getBlockByNumber", Json::array({tag.text(), false}));
  if (answer.is_null()) return std::nullopt;
  return block_from_json(answer);
}

Block RpcClient::latest_block() {
  std::optional<Block> latest = block();
  if (!latest) throw Error(ErrorCode::kNetwork, "the node has no latest block: " + url());
  return *latest;
}

U256 RpcClient::balance(const Address& account, const BlockTag& tag) {
  return quantity_from_json(
      ask("eth_getBalance", Json::array({to_hex0x(account.bytes), tag.text()})), "eth_getBalance");
}

uint64_t RpcClient::transaction_count(const Address& account, const BlockTag& tag) {
  return u64_from_json(
      ask("eth_getTransactionCount", Json::array({to_hex0x(account.bytes), tag.text()})),
      "eth_getTransactionCount");
}

Bytes RpcClient::code(const Address& account, const BlockTag& tag) {
  return bytes_from_json(ask("eth_getCode", Json::array({to_hex0x(account.bytes), tag.text()})),
                         "eth_getCode");
}

U256 RpcClient::gas_price() {
  return quantity_from_json(ask("eth_gasPrice", Json::array()), "eth_gasPrice");
}

std::optional<U256> RpcClient::max_priority_fee() {
  try {
    return quantity_from_json(rpc_.call("eth_maxPriorityFeePerGas"), "eth_maxPriorityFeePerGas");
  } catch (const net::JsonRpcError&) {
    return std::nullopt;  // an older node or chain: the caller has a minimum of its own
  }
}

Json RpcClient::ask_contract(std::string_view method, const CallRequest& request,
                             const BlockTag* tag) {
  Json params = Json::array({call_to_json(request)});
  if (tag != nullptr) params.push_back(tag->text());
  try {
    return rpc_.call(method, std::move(params));
  } catch (const net::JsonRpcError& e) {
    std::optional<Bytes> data = revert_data(e);
    if (!data) refuse(e);
    static const AbiRegistry kNone;
    const AbiRegistry& errors = options_.errors ? *options_.errors : kNone;
    // Without data, the node's own words are all there is.
    std::string reason = data->empty() ? e.rpc_message : errors.decode_revert(*data);
    throw RevertError(address_text(request.to) + " reverts", reason, *data,
                      errors.find_revert(*data));
  }
}

Bytes RpcClient::call(const CallRequest& request, const BlockTag& tag) {
  return bytes_from_json(ask_contract("eth_call", request, &tag), "eth_call");
}

uint64_t RpcClient::estimate_gas(const CallRequest& request) {
  return u64_from_json(ask_contract("eth_estimateGas", request, nullptr), "eth_estimateGas");
}

Value RpcClient::read(const Address& contract, const Function& function, const Values& arguments,
                      const BlockTag& tag, const std::optional<Address>& from) {
  Bytes answer = call({from, contract, function.encode_call(arguments), 0, {}}, tag);
  if (answer.empty() && !function.outputs.empty()) {
    throw Error(ErrorCode::kChain,
                "no contract with " + function.name + " at " + crypto::checksum_address(contract),
                "check the address and the network");
  }
  try {
    return function.decode_result(answer);
  } catch (const Error& e) {
    throw Error(ErrorCode::kChain, crypto::checksum_address(contract) + ": " + e.what(),
                "the contract has another interface than expected: check the address");
  }
}

H256 RpcClient::send_raw(ByteView raw) {
  H256 hash = hash_from_json(rpc_.call("eth_sendRawTransaction", Json::array({to_hex0x(raw)})),
                             "eth_sendRawTransaction");
  if (hash != crypto::keccak256(raw)) {
    throw Error(ErrorCode::kNetwork, "the node names another hash for the transaction sent");
  }
  return hash;
}

std::optional<Receipt> RpcClient::receipt(const H256& tx_hash) {
  Json answer = ask("eth_getTransactionReceipt", Json::array({to_hex0x(tx_hash.bytes)}));
  // Some nodes give receipts of pending transactions, without a block.
  if (answer.is_null() || !answer.contains("blockHash") || answer["blockHash"].is_null()) {
    return std::nullopt;
  }
  Receipt out = receipt_from_json(answer);
  if (out.tx_hash != tx_hash) {
    throw Error(ErrorCode::kNetwork, "the node answers with another transaction's receipt");
  }
  return out;
}

bool RpcClient::knows_transaction(const H256& tx_hash) {
  return !ask("eth_getTransactionByHash", Json::array({to_hex0x(tx_hash.bytes)})).is_null();
}

std::optional<Receipt> RpcClient::confirmed_receipt(const H256& tx_hash, uint64_t confirmations) {
  std::optional<Receipt> found = receipt(tx_hash);
  if (!found || confirmations <= 1) return found;
  uint64_t head = block_number();
  if (head < found->block_number || head - found->block_number + 1 < confirmations) return {};
  return found;
}

Receipt RpcClient::wait_receipt(const H256& tx_hash, const WaitOptions& options) {
  Poll poll(options);
  while (true) {
    std::optional<Receipt> found =
        poll.attempt([&] { return confirmed_receipt(tx_hash, options.confirmations); });
    if (found) return *found;
    if (poll.expired()) {
      throw Error(ErrorCode::kChain,
                  "transaction " + to_hex0x(tx_hash.bytes) + " is not confirmed after " +
                      std::to_string(options.timeout.count() / 1000) + " s",
                  "it may still be included: look it up before sending it again");
    }
    poll.sleep();
  }
}

}  // namespace ffe::evm
