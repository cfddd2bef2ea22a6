#include "evm/erc20.hpp"

#include <algorithm>

#include "crypto/address.hpp"

namespace ffe::evm {
namespace {

constexpr size_t kLongestSymbol = 16;
constexpr uint64_t kMostDecimals = 77;  // 10^77 is the largest power of ten in 256 bits

// Tokens are anybody's code: an answer may be missing, malformed or made to confuse a terminal.
std::string symbol_of(RpcClient& rpc, const Address& token) {
  static const Function symbol = parse_function("function symbol() view returns (string)");
  try {
    std::string text(rpc.read(token, symbol, {})[0].as_string());
    bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
    if (plain && !text.empty() && text.size() <= kLongestSymbol) return text;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kNetwork) throw;
  }
  return "tokens";
}

uint8_t decimals_of(RpcClient& rpc, const Address& token) {
  static const Function decimals = parse_function("function decimals() view returns (uint256)");
  try {
    U256 n = rpc.read(token, decimals, {})[0].as_u256();
    if (n <= U256(kMostDecimals)) return static_cast<uint8_t>(n.to_u64());
  } catch (const Error& e) {
    if (e.code() == ErrorCode::kNetwork) throw;
  }
  return 0;
}

}  // namespace

std::string Currency::text(const U256& amount) const {
  std::string out = format_units(amount, decimals) + " " + symbol;
  return native() ? out : out + " (ERC-20 " + crypto::checksum_address(token) + ")";
}

Currency currency_of(RpcClient& rpc, const Address& token) {
  if (token.is_zero()) return {};
  if (rpc.code(token).empty()) {
    throw Error(ErrorCode::kChain, "there is no token at " + crypto::checksum_address(token),
                "check the network");
  }
  return {token, symbol_of(rpc, token), decimals_of(rpc, token)};
}

U256 balance_of(RpcClient& rpc, const Currency& currency, const Address& owner) {
  return currency.native() ? rpc.balance(owner) : Erc20(rpc, currency.token).balance(owner);
}

U256 Erc20::balance(const Address& owner) const {
  static const Function f = parse_function("function balanceOf(address) view returns (uint256)");
  return rpc_->read(token_, f, {owner})[0].as_u256();
}

U256 Erc20::allowance(const Address& owner, const Address& spender) const {
  static const Function f =
      parse_function("function allowance(address, address) view returns (uint256)");
  return rpc_->read(token_, f, {owner, spender})[0].as_u256();
}

Receipt Erc20::approve(Sender& sender, const Address& spender, const U256& amount) const {
  static const Function f = parse_function("function approve(address, uint256)");
  return sender.send(token_, f, {spender, amount});
}

std::optional<Receipt> Erc20::allow(Sender& sender, const Address& spender,
                                    const U256& amount) const {
  U256 now = allowance(sender.address(), spender);
  if (now >= amount) return std::nullopt;
  if (!now.is_zero()) approve(sender, spender, 0);
  Receipt receipt = approve(sender, spender, amount);
  // Some tokens say no by returning false, which no receipt shows.
  if (allowance(sender.address(), spender) < amount) {
    throw Error(ErrorCode::kChain, crypto::checksum_address(token_) + " did not take the approval",
                "look at the token: it may not let this account pay");
  }
  return receipt;
}

}  // namespace ffe::evm
