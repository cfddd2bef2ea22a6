// Typed access to an Ethereum JSON-RPC endpoint.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "evm/contract_abi.hpp"
#include "evm/u256.hpp"
#include "net/json_rpc.hpp"

namespace ffe::evm {

struct Block {
  uint64_t number = 0;
  H256 hash;
  H256 parent_hash;
  uint64_t timestamp = 0;
  uint64_t gas_limit = 0;
  std::optional<U256> base_fee_per_gas;  // none before EIP-1559
};

struct Log {
  Address address;
  std::vector<H256> topics;
  Bytes data;
  uint64_t block_number = 0;
  H256 block_hash;
  H256 tx_hash;
  uint64_t tx_index = 0;
  uint64_t log_index = 0;
};

struct Receipt {
  H256 tx_hash;
  H256 block_hash;
  uint64_t block_number = 0;
  bool success = false;
  Address from;
  std::optional<Address> to;
  std::optional<Address> contract_address;
  uint64_t gas_used = 0;
  U256 effective_gas_price;
  std::vector<Log> logs;
};

// "latest", "pending", "earliest", "safe", "finalized" or a number.
class BlockTag {
 public:
  BlockTag() : text_("latest") {}
  BlockTag(const char* tag) : text_(tag) {}
  BlockTag(uint64_t number) : text_(U256(number).to_hex_quantity()) {}
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct CallRequest {
  std::optional<Address> from;
  std::optional<Address> to;  // none: contract creation
  Bytes data;
  U256 value;
  std::optional<uint64_t> gas;
  // What tx.gasprice is to be: contracts that look at it need other amounts of gas at price 0.
  std::optional<U256> gas_price = std::nullopt;
};

struct LogFilter {
  std::vector<Address> addresses;         // any of them; empty: all
  std::vector<std::vector<H256>> topics;  // per position any of them; empty: anything
  uint64_t from_block = 0;
  std::optional<uint64_t> to_block;  // none: the head at the time of the call
};

struct WaitOptions {
  uint64_t confirmations = 1;  // 1: in a block
  std::chrono::milliseconds timeout{120'000};
  // The usual pause between questions; it begins at an eighth of this and ends at four times it.
  std::chrono::milliseconds poll{500};
};

// The chain refused: a revert in a call, an estimate or a mined transaction. Error{kChain} whose
// message ends with the decoded reason.
class RevertError : public Error {
 public:
  RevertError(const std::string& doing, std::string reason, Bytes data,
              std::optional<Revert> revert, std::optional<H256> tx_hash = std::nullopt)
      : Error(ErrorCode::kChain, doing + ": " + reason),
        reason_(std::move(reason)),
        data_(std::move(data)),
        revert_(std::move(revert)),
        tx_hash_(tx_hash) {}

  const std::string& reason() const { return reason_; }  // "SubmitClosed(deadline=17)"
  const Bytes& data() const { return data_; }
  // The decoded error, where an interface knows it, and its name ("" where none does).
  const std::optional<Revert>& revert() const { return revert_; }
  std::string name() const { return revert_ ? revert_->name : std::string(); }
  // Of a mined transaction; none if the revert was foreseen and nothing was sent.
  const std::optional<H256>& tx_hash() const { return tx_hash_; }

 private:
  std::string reason_;
  Bytes data_;
  std::optional<Revert> revert_;
  std::optional<H256> tx_hash_;
};

// The revert data inside a JSON-RPC error, wherever the node put them: "data" as hex (geth, reth,
// anvil), as an object with "data" or "result", or as "Reverted 0x…". None: not a revert.
std::optional<Bytes> revert_data(const net::JsonRpcError& error);

// Thread-safe. Answers are hostile: quantities and hashes are checked, unknown members ignored,
// sizes bounded. Errors: kNetwork (no answer, or not in protocol), kChain (the node refuses), and
// RevertError.
class RpcClient {
 public:
  struct Options {
    net::JsonRpcClient::Options net;
    // Turns revert data of calls and estimates into words; may be empty.
    std::shared_ptr<const AbiRegistry> errors;
    uint64_t log_page = 1000;  // blocks a page to begin with; halved when the provider refuses
    size_t max_logs = 1'000'000;
  };

  explicit RpcClient(std::string url);
  RpcClient(std::string url, Options options);

  const std::string& url() const { return rpc_.url(); }
  const Options& options() const { return options_; }

  uint64_t chain_id();  // asked once
  uint64_t block_number();
  std::optional<Block> block(const BlockTag& tag = {});
  Block latest_block();
  U256 balance(const Address& account, const BlockTag& tag = {});
  uint64_t transaction_count(const Address& account, const BlockTag& tag = {});
  Bytes code(const Address& account, const BlockTag& tag = {});
  U256 gas_price();
  // eth_maxPriorityFeePerGas; none if the node does not answer that.
  std::optional<U256> max_priority_fee();

  Bytes call(const CallRequest& request, const BlockTag& tag = {});
  // Encodes the call, decodes the results: read(token, f, {owner})[0].as_u256().
  Value read(const Address& contract, const Function& function, const Values& arguments,
             const BlockTag& tag = {}, const std::optional<Address>& from = std::nullopt);
  uint64_t estimate_gas(const CallRequest& request);
  // The node's hash must be `keccak256(raw)`. Errors of the node's transaction pool pass as
  // net::JsonRpcError.
  H256 send_raw(ByteView raw);
  std::optional<Receipt> receipt(const H256& tx_hash);
  // Whether the node knows the transaction, mined or not.
  bool knows_transaction(const H256& tx_hash);
  // The receipt once `confirmations` blocks hold it, its own counted.
  std::optional<Receipt> confirmed_receipt(const H256& tx_hash, uint64_t confirmations);
  // Throws Error{kChain} when the time is over. A failed transaction is returned, not thrown.
  Receipt wait_receipt(const H256& tx_hash, const WaitOptions& options = {});

  // All logs of the range in order, fetched page by page; each is checked against the filter. Where
  // a provider refuses a page (too many blocks or results), smaller ones are asked for.
  std::vector<Log> logs(const LogFilter& filter);
  // The same without holding them all: `page` gets each page's logs and its last block.
  void each_log_page(const LogFilter& filter,
                     const std::function<void(const std::vector<Log>&, uint64_t last)>& page);

  // Any other method. Errors of the node pass as net::JsonRpcError.
  Json raw(std::string_view method, Json params = Json::array());

 private:
  Json ask(std::string_view method, Json params);
  std::vector<Log> one_log_page(const LogFilter& filter, uint64_t from, uint64_t to);
  Json ask_contract(std::string_view method, const CallRequest& request, const BlockTag* tag);

  Options options_;
  net::JsonRpcClient rpc_;
  std::mutex mutex_;
  std::optional<uint64_t> chain_id_;
};

}  // namespace ffe::evm
