#include "evm/sender.hpp"

#include <map>
#include <thread>

#include "base/hex.hpp"
#include "base/log.hpp"
#include "crypto/address.hpp"
#include "evm/poll.hpp"

namespace ffe::evm {
namespace {

constexpr int kAttempts = 6;

// What a node's transaction pool says no to. Nodes agree on the words (geth's), not on the codes.
enum class Refusal { kKnown, kNonceUsed, kUnderpriced, kReplacementUnderpriced, kOther };

bool says(std::string_view text, std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts) {
    if (text.find(part) != std::string_view::npos) return true;
  }
  return false;
}

Refusal refusal_of(const net::JsonRpcError& error) {
  std::string text = error.rpc_message;
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (says(text, {"already known", "already imported", "known transaction"})) {
    return Refusal::kKnown;
  }
  if (says(text, {"replacement transaction underpriced", "fee too low to replace"})) {
    return Refusal::kReplacementUnderpriced;
  }
  if (says(text, {"nonce too low", "nonce is too low", "invalid nonce", "old nonce"})) {
    return Refusal::kNonceUsed;
  }
  if (says(text, {"underpriced", "below minimum", "minimum needed", "less than block base fee",
                  "lower than the block base fee", "fee too low"})) {
    return Refusal::kUnderpriced;
  }
  return Refusal::kOther;
}

[[noreturn]] void refuse(const net::JsonRpcError& error, const Address& sender) {
  bool funds = says(error.rpc_message, {"nsufficient funds"});
  throw Error(ErrorCode::kChain, error.what(),
              funds ? "send funds to " + crypto::checksum_address(sender) +
                          ", then run the same command again"
                    : "");
}

std::string what_of(const Transaction& transaction) {
  return transaction.to ? "transaction to " + crypto::checksum_address(*transaction.to)
                        : "deployment";
}

CallRequest request_of(const Transaction& transaction, const Address& from) {
  bool legacy = transaction.kind == Transaction::Kind::kLegacy;
  return {from,
          transaction.to,
          transaction.data,
          transaction.value,
          {},
          legacy ? transaction.gas_price : transaction.max_fee_per_gas};
}

U256 raised(const U256& fee) {
  return fee + fee / 4 + 1;
}

}  // namespace

// The nonces of one account on one chain.
struct Sender::Account {
  std::mutex mutex;
  uint64_t next = 0;         // after the last transaction sent from here
  uint64_t outstanding = 0;  // sent from here, not yet settled

  static std::shared_ptr<Account> of(uint64_t chain_id, const Address& address) {
    static std::mutex registry_mutex;
    static std::map<std::pair<uint64_t, Address>, std::weak_ptr<Account>> registry;
    std::lock_guard lock(registry_mutex);
    std::weak_ptr<Account>& entry = registry[{chain_id, address}];
    std::shared_ptr<Account> account = entry.lock();
    if (!account) entry = account = std::make_shared<Account>();
    return account;
  }

  void settle() {
    std::lock_guard lock(mutex);
    --outstanding;
  }
};

Sender::Sender(RpcClient& rpc, const crypto::PrivateKey& key, SenderOptions options)
    : rpc_(rpc), key_(key.clone()), address_(key.address()), options_(std::move(options)) {}

Sender::Account& Sender::account() {
  std::lock_guard lock(mutex_);
  if (!account_) account_ = Account::of(rpc_.chain_id(), address_);
  return *account_;
}

Receipt Sender::send(const Address& to, Bytes data, const U256& value) {
  Transaction transaction;
  transaction.to = to;
  transaction.data = std::move(data);
  transaction.value = value;
  return execute(std::move(transaction));
}

Receipt Sender::send(const Address& to, const Function& function, const Values& arguments,
                     const U256& value) {
  return send(to, function.encode_call(arguments), value);
}

Receipt Sender::deploy(Bytes init_code, const U256& value) {
  Transaction transaction;
  transaction.data = std::move(init_code);
  transaction.value = value;
  return execute(std::move(transaction));
}

Receipt Sender::execute(Transaction transaction) {
  Account& nonces = account();
  transaction.chain_id = rpc_.chain_id();
  set_fees(transaction, nullptr);
  estimate(transaction);
  SignedTransaction first = send_first(std::move(transaction));
  struct Settle {
    Account& nonces;
    ~Settle() { nonces.settle(); }
  } settle{nonces};
  return await(std::move(first));
}

void Sender::estimate(Transaction& transaction) {
  uint64_t needed = 0;
  try {
    needed = rpc_.estimate_gas(request_of(transaction, address_));
  } catch (const RevertError& e) {
    throw_revert(e, what_of(transaction) + " would revert", std::nullopt);
  }
  uint64_t block_limit = rpc_.latest_block().gas_limit;
  if (needed > block_limit) {
    throw Error(ErrorCode::kChain, what_of(transaction) + " needs " + std::to_string(needed) +
                                       " gas, more than a block holds");
  }
  transaction.gas_limit = std::min(needed + needed / 5, block_limit);
}

void Sender::set_fees(Transaction& t, const Transaction* replaced) {
  std::optional<U256> base = rpc_.latest_block().base_fee_per_gas;
  // A replacement keeps its kind, so that both bids can be compared.
  bool legacy = replaced != nullptr ? replaced->kind == Transaction::Kind::kLegacy : !base;
  if (legacy) {
    t.kind = Transaction::Kind::kLegacy;
    t.gas_price = std::max(rpc_.gas_price(), options_.min_priority_fee);
    if (replaced != nullptr) t.gas_price = std::max(t.gas_price, raised(replaced->gas_price));
  } else {
    t.kind = Transaction::Kind::kEip1559;
    U256 tip = std::max(rpc_.max_priority_fee().value_or(0), options_.min_priority_fee);
    if (replaced != nullptr) tip = std::max(tip, raised(replaced->max_priority_fee_per_gas));
    // Twice the base fee outlasts five full blocks in a row.
    U256 most = base.value_or(0) * 2 + tip;
    if (replaced != nullptr) most = std::max(most, raised(replaced->max_fee_per_gas));
    t.max_priority_fee_per_gas = tip;
    t.max_fee_per_gas = most;
  }
  const U256& price = legacy ? t.gas_price : t.max_fee_per_gas;
  if (price > options_.max_fee_cap) {
    throw Error(ErrorCode::kChain,
                "the fee of " + format_units(price, 9) + " gwei per gas is above the limit of " +
                    format_units(options_.max_fee_cap, 9),
                "wait until the chain is less busy, or allow higher fees");
  }
}

// Under the account's lock: takes the next nonce and brings the transaction into the node's pool.
SignedTransaction Sender::send_first(Transaction transaction) {
  Account& nonces = account();
  std::lock_guard lock(nonces.mutex);
  uint64_t floor = nonces.outstanding > 0 ? nonces.next : 0;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // With nothing of ours outstanding the node's count is the truth: a transaction that the pool
    // dropped must not leave a gap.
    transaction.nonce = std::max(floor, rpc_.transaction_count(address_, "pending"));
    SignedTransaction signed_transaction = sign_transaction(transaction, key_);
    try {
      if (broadcast(signed_transaction)) {
        nonces.next = transaction.nonce + 1;
        ++nonces.outstanding;
        if (options_.on_sent) options_.on_sent(signed_transaction.hash, std::nullopt);
        return signed_transaction;
      }
    } catch (const net::JsonRpcError& e) {
      Refusal refusal = refusal_of(e);
      if (refusal == Refusal::kOther) refuse(e, address_);
      if (refusal == Refusal::kUnderpriced) {
        Transaction before = transaction;
        set_fees(transaction, &before);
        continue;
      }
    }
    // Another program spent this nonce; its transaction may not be in the node's count yet.
    log::debug("nonce {} of {} is taken", transaction.nonce, crypto::checksum_address(address_));
    floor = transaction.nonce + (attempt > 0 ? 1 : 0);
    std::this_thread::sleep_for(options_.wait.poll);
  }
  throw Error(ErrorCode::kChain,
              what_of(transaction) + " was refused " + std::to_string(kAttempts) +
                  " times by the transaction pool",
              "check whether another program sends from the same account");
}

bool Sender::broadcast(const SignedTransaction& transaction) {
  for (int attempt = 0;; ++attempt) {
    try {
      rpc_.send_raw(transaction.raw);
      return true;
    } catch (const net::JsonRpcError& e) {
      Refusal refusal = refusal_of(e);
      if (refusal != Refusal::kKnown && refusal != Refusal::kNonceUsed) throw;
      // After a lost answer this is about this very transaction. Otherwise it is an older one,
      // though it may be equal in every byte.
      return attempt > 0 && rpc_.knows_transaction(transaction.hash);
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kNetwork || attempt == 2) throw;
      std::this_thread::sleep_for(options_.wait.poll);
    }
  }
}

Receipt Sender::await(SignedTransaction first) {
  std::vector<SignedTransaction> sent;
  sent.push_back(std::move(first));
  Poll poll(options_.wait);
  auto stuck_at = Poll::Clock::now() + options_.stuck_after;
  while (true) {
    bool mined = false;
    std::optional<Receipt> found = poll.attempt([&] { return find_receipt(sent, mined); });
    if (found) {
      for (const SignedTransaction& one : sent) {
        if (one.hash == found->tx_hash) return finish(one, std::move(*found));
      }
    }
    if (poll.expired()) {
      throw Error(ErrorCode::kChain,
                  what_of(sent[0].transaction) + " (" + to_hex0x(sent.back().hash.bytes) +
                      ") is not confirmed after " +
                      std::to_string(options_.wait.timeout.count() / 1000) + " s",
                  "it may still be included: look it up before sending it again");
    }
    if (!mined && Poll::Clock::now() >= stuck_at) {
      poll.attempt([&] { return replace(sent); });
      stuck_at = Poll::Clock::now() + options_.stuck_after;
    }
    poll.sleep();
  }
}

std::optional<Receipt> Sender::find_receipt(const std::vector<SignedTransaction>& sent,
                                            bool& mined) {
  for (const SignedTransaction& one : sent) {
    std::optional<Receipt> found = rpc_.receipt(one.hash);
    if (!found) continue;
    mined = true;
    if (options_.wait.confirmations <= 1) return found;
    return rpc_.confirmed_receipt(one.hash, options_.wait.confirmations);
  }
  return std::nullopt;
}

// Bids more for the same nonce. Throws if another program's transaction took it.
bool Sender::replace(std::vector<SignedTransaction>& sent) {
  Transaction next = sent.back().transaction;
  try {
    set_fees(next, &sent.back().transaction);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kChain) throw;
    log::warn("transaction {} is stuck: {}", to_hex0x(sent.back().hash.bytes), e.what());
    return false;
  }
  const H256 replaced = sent.back().hash;
  // On the list before it is sent: if the answer is lost, its receipt is still looked for.
  sent.push_back(sign_transaction(next, key_));
  const SignedTransaction& bid = sent.back();
  try {
    if (broadcast(bid)) {
      if (options_.on_sent) options_.on_sent(bid.hash, replaced);
      return true;
    }
  } catch (const net::JsonRpcError& e) {
    log::warn("transaction {} is stuck and cannot be replaced: {}", to_hex0x(replaced.bytes),
              e.what());
    // Too small a step for this node: the next one starts from this bid.
    if (refusal_of(e) == Refusal::kOther) sent.pop_back();
    return false;
  }
  check_not_displaced(sent);
  return false;
}

// The nonce is used up: by one of ours, whose receipt will appear, or by another program.
void Sender::check_not_displaced(const std::vector<SignedTransaction>& sent) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bool mined = false;
    find_receipt(sent, mined);
    if (mined) return;
    std::this_thread::sleep_for(options_.wait.poll);
  }
  throw Error(ErrorCode::kChain,
              "another transaction of " + crypto::checksum_address(address_) + " took nonce " +
                  std::to_string(sent[0].transaction.nonce),
              "run the same command again; use one program at a time for one account");
}

Receipt Sender::finish(const SignedTransaction& transaction, Receipt receipt) {
  if (!receipt.success) throw_failed(transaction, receipt);
  if (transaction.transaction.to) return receipt;
  Address expected = create_address(address_, transaction.transaction.nonce);
  if (receipt.contract_address != expected || rpc_.code(expected).empty()) {
    throw Error(ErrorCode::kChain,
                "the deployment left no code at " + crypto::checksum_address(expected));
  }
  return receipt;
}

void Sender::throw_failed(const SignedTransaction& transaction, const Receipt& receipt) {
  std::string doing = "transaction " + to_hex0x(transaction.hash.bytes) + " reverted in block " +
                      std::to_string(receipt.block_number);
  if (receipt.gas_used >= transaction.transaction.gas_limit) {
    throw RevertError(doing, "out of gas", {}, std::nullopt, transaction.hash);
  }
  CallRequest request = request_of(transaction.transaction, address_);
  request.gas = transaction.transaction.gas_limit;
  // Run again on the state after the block, then before it: one of the two shows the reason, unless
  // it lay in the order of the block's own transactions or the node keeps no old state.
  for (uint64_t block : {receipt.block_number, receipt.block_number - 1}) {
    try {
      rpc_.call(request, block);
    } catch (const RevertError& e) {
      throw_revert(e, doing, transaction.hash);
    } catch (const Error& e) {
      log::debug("no reason of the revert from the state of block {}: {}", block, e.what());
    }
  }
  throw RevertError(doing, "no reason given", {}, std::nullopt, transaction.hash);
}

void Sender::throw_revert(const RevertError& error, const std::string& doing,
                          const std::optional<H256>& tx_hash) {
  std::optional<Revert> revert = error.revert();
  if (options_.errors && !error.data().empty()) {
    if (auto own = options_.errors->find_revert(error.data())) revert = std::move(own);
  }
  std::string reason = revert ? revert->text : error.reason();
  throw RevertError(doing, reason, error.data(), std::move(revert), tx_hash);
}

}  // namespace ffe::evm
