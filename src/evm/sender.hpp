// Transactions of one account: nonces, fees, replacement, receipts.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "crypto/secp256k1.hpp"
#include "evm/rpc.hpp"
#include "evm/transaction.hpp"

namespace ffe::evm {

struct SenderOptions {
  // 0G's nodes refuse tips below 2 gwei.
  U256 min_priority_fee = U256(2 * kGwei);
  // A transaction's highest price per gas, also of replacements: a node that names absurd fees
  // cannot drain the account.
  U256 max_fee_cap = U256(1000 * kGwei);
  WaitOptions wait;
  // Without a receipt after this time, the transaction is sent again with higher fees.
  std::chrono::milliseconds stuck_after{45'000};
  // Names the errors of contracts; RpcClient::Options::errors is asked as well.
  std::shared_ptr<const AbiRegistry> errors;
  // Told the hash of each transaction as it is sent; `replaces` is the one it takes the place of.
  std::function<void(const H256& hash, const std::optional<H256>& replaces)> on_sent;
};

// Thread-safe; all Senders of one account and chain in this process share one nonce counter.
// EIP-1559 fees (legacy where the chain has no base fee), gas = estimate × 1.2. Errors: RevertError
// (before anything is paid if the estimate already reverts), Error{kChain} for refusals (no funds,
// time over, fee cap), Error{kNetwork} when the endpoint does not answer.
class Sender {
 public:
  Sender(RpcClient& rpc, const crypto::PrivateKey& key, SenderOptions options = {});

  const Address& address() const { return address_; }
  const crypto::PrivateKey& key() const { return key_; }
  RpcClient& rpc() { return rpc_; }

  // Sends, waits for the confirmations asked for, returns a successful receipt.
  Receipt send(const Address& to, Bytes data, const U256& value = 0);
  Receipt send(const Address& to, const Function& function, const Values& arguments,
               const U256& value = 0);
  // The receipt's contract_address is set and has code.
  Receipt deploy(Bytes init_code, const U256& value = 0);

 private:
  struct Account;

  Account& account();
  Receipt execute(Transaction transaction);
  void estimate(Transaction& transaction);
  void set_fees(Transaction& transaction, const Transaction* replaced);
  SignedTransaction send_first(Transaction transaction);
  // False if another transaction holds the nonce; other refusals of the node's pool pass.
  bool broadcast(const SignedTransaction& transaction);
  Receipt await(SignedTransaction first);
  // `mined` tells whether any of them is in a block, confirmed or not.
  std::optional<Receipt> find_receipt(const std::vector<SignedTransaction>& sent, bool& mined);
  bool replace(std::vector<SignedTransaction>& sent);
  void check_not_displaced(const std::vector<SignedTransaction>& sent);
  Receipt finish(const SignedTransaction& transaction, Receipt receipt);
  [[noreturn]] void throw_failed(const SignedTransaction& transaction, const Receipt& receipt);
  [[noreturn]] void throw_revert(const RevertError& error, const std::string& doing,
                                 const std::optional<H256>& tx_hash);

  RpcClient& rpc_;
  crypto::PrivateKey key_;
  Address address_;
  SenderOptions options_;
  std::mutex mutex_;  // guards account_
  std::shared_ptr<Account> account_;
};

}  // namespace ffe::evm
