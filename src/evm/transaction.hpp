// Legacy (EIP-155) and EIP-1559 transactions.
#pragma once

#include <optional>
#include <vector>

#include "crypto/secp256k1.hpp"
#include "evm/u256.hpp"

namespace ffe::evm {

struct AccessListEntry {
  Address address;
  std::vector<H256> storage_keys;
  bool operator==(const AccessListEntry&) const = default;
};

struct Transaction {
  enum class Kind { kLegacy, kEip1559 };

  Kind kind = Kind::kEip1559;
  uint64_t chain_id = 0;
  uint64_t nonce = 0;
  U256 gas_price;                 // legacy
  U256 max_priority_fee_per_gas;  // EIP-1559
  U256 max_fee_per_gas;           // EIP-1559
  uint64_t gas_limit = 0;
  std::optional<Address> to;  // none: contract creation
  U256 value;
  Bytes data;
  std::vector<AccessListEntry> access_list;  // EIP-1559

  bool operator==(const Transaction&) const = default;
};

struct SignedTransaction {
  Transaction transaction;
  Address sender;
  Bytes raw;  // what eth_sendRawTransaction takes
  H256 hash;
};

// The digest that the sender signs. Legacy transactions are bound to chain_id (EIP-155).
H256 signing_hash(const Transaction& transaction);
SignedTransaction sign_transaction(const Transaction& transaction, const crypto::PrivateKey& key);

// Strict; recovers the sender. Throws Error{kBadInput} for anything malformed, Error{kUnsupported}
// for other transaction types and legacy ones without chain id, Error{kCorrupt} for a bad
// signature.
SignedTransaction decode_transaction(ByteView raw);

Address create_address(const Address& sender, uint64_t nonce);
Address create2_address(const Address& factory, const H256& salt, const H256& init_code_hash);

}  // namespace ffe::evm
