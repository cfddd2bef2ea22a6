// ERC-20 tokens, and amounts with the name of what they are amounts of.
#pragma once

#include <string>

#include "evm/sender.hpp"

namespace ffe::evm {

// What a price is in: the chain's own token, or an ERC-20.
struct Currency {
  Address token;  // zero: the chain's own
  std::string symbol = "0G";
  uint8_t decimals = 18;

  bool native() const { return token.is_zero(); }
  // "0.5 0G"; "5 USDC (ERC-20 0xA0b8…)": a symbol is the token's own claim, its address is not.
  std::string text(const U256& amount) const;
};

// Asks the token. A symbol that is missing, longer than 16 characters or not plain ASCII is shown
// as "tokens"; decimals that are missing or above 77 count as 0. Throws Error{kChain} if there is
// no contract at `token`.
Currency currency_of(RpcClient& rpc, const Address& token);

// Of the chain's own token or an ERC-20.
U256 balance_of(RpcClient& rpc, const Currency& currency, const Address& owner);

class Erc20 {
 public:
  Erc20(RpcClient& rpc, const Address& token) : rpc_(&rpc), token_(token) {}

  U256 balance(const Address& owner) const;
  U256 allowance(const Address& owner, const Address& spender) const;
  // Lets `spender` take exactly `amount` of the sender's tokens, unless it may take as much
  // already. Old tokens refuse to change an allowance that is not zero: it is set to zero first.
  // Throws Error{kChain} if the token does not comply.
  std::optional<Receipt> allow(Sender& sender, const Address& spender, const U256& amount) const;

 private:
  Receipt approve(Sender& sender, const Address& spender, const U256& amount) const;

  RpcClient* rpc_;
  Address token_;
};

}  // namespace ffe::evm
