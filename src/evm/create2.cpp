#include "evm/create2.hpp"

#include "base/hex.hpp"
#include "crypto/address.hpp"
#include "crypto/keccak.hpp"

namespace ffe::evm {
namespace {

constexpr const char* kProxy = "0x4e59b44847b379578588920ca78fbf26c0b4956c";
constexpr const char* kProxyDeployer = "0x3fab184622dc19b6109349b94811493bf2a45362";
constexpr const char* kProxyTransaction =
    "0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe"
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31b"
    "a02222222222222222222222222222222222222222222222222222222222222222"
    "a02222222222222222222222222222222222222222222222222222222222222222";

}  // namespace

Address create2_proxy() {
  return address_from_hex(kProxy);
}

void ensure_create2_proxy(Sender& sender) {
  RpcClient& rpc = sender.rpc();
  if (!rpc.code(create2_proxy()).empty()) return;
  const Address deployer = address_from_hex(kProxyDeployer);
  const U256 gas = U256(100'000) * U256(100 * kGwei);  // limit and price of that transaction
  U256 balance = rpc.balance(deployer);
  if (balance < gas) sender.send(deployer, {}, gas - balance);
  try {
    H256 hash = rpc.send_raw(from_hex(kProxyTransaction));
    rpc.wait_receipt(hash);
  } catch (const net::JsonRpcError& e) {
    throw Error(
        ErrorCode::kChain,
        "the chain lacks the deterministic deployment proxy, and its node does not take the "
        "proxy's transaction: " +
            std::string(e.what()),
        "ask the chain's operators to put it at " + crypto::checksum_address(create2_proxy()));
  }
  if (rpc.code(create2_proxy()).empty()) {
    throw Error(ErrorCode::kChain, "the deterministic deployment proxy could not be created");
  }
}

Created create2(Sender& sender, const H256& salt, ByteView init_code) {
  RpcClient& rpc = sender.rpc();
  Created out{create2_address(create2_proxy(), salt, crypto::keccak256(init_code)), std::nullopt};
  if (!rpc.code(out.address).empty()) return out;
  Bytes data(salt.bytes.begin(), salt.bytes.end());
  data.insert(data.end(), init_code.begin(), init_code.end());
  out.receipt = sender.send(create2_proxy(), std::move(data));
  if (rpc.code(out.address).empty()) {
    throw Error(ErrorCode::kChain,
                "the deployment left no code at " + crypto::checksum_address(out.address));
  }
  return out;
}

}  // namespace ffe::evm
