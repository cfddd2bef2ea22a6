// RLP, transactions, ABI and the JSON of an Ethereum endpoint: any bytes are well-formed, and then
// encode to the same bytes, or they are an Error.
#include <cstdlib>

#include "evm/contract_abi.hpp"
#include "evm/rlp.hpp"
#include "evm/rpc_json.hpp"
#include "evm/transaction.hpp"

namespace {

using namespace ffe;
using namespace ffe::evm;

template <class Call>
void tolerate(Call call) {
  try {
    call();
  } catch (const Error&) {
  }
}

void require(bool holds) {
  if (!holds) std::abort();
}

const ContractAbi& abi() {
  static const ContractAbi known = ContractAbi::from_signatures({
      "function f(uint256 a, (bytes b, (bytes32 c, int64 d)[] e, string[2] g)[] h, bool i) view",
      "error Refused(uint256 code, string why)",
  });
  return known;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView bytes(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tolerate([&] {
    const Bytes again = rlp_encode(rlp_decode(bytes));
    require(std::equal(again.begin(), again.end(), data, data + size));
  });
  tolerate([&] { require(decode_transaction(bytes).hash != H256{}); });
  tolerate([&] { abi().function("f").decode_call(bytes); });
  tolerate([&] { abi().decode_revert(bytes); });
  tolerate([&] { ContractAbi::from_signatures({text}); });
  tolerate([&] {
    const Json json = parse_json(text, "fuzz");
    tolerate([&] { block_from_json(json); });
    tolerate([&] { log_from_json(json); });
    tolerate([&] { receipt_from_json(json); });
    tolerate([&] { ContractAbi::from_json(json); });
  });
  return 0;
}
