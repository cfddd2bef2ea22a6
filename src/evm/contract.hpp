// A deployed contract with its interface: reads, writes and logs by name.
#pragma once

#include <string_view>
#include <vector>

#include "evm/contract_abi.hpp"
#include "evm/rpc.hpp"
#include "evm/sender.hpp"

namespace ffe::evm {

struct DecodedLog {
  const Event* event = nullptr;  // of the contract's interface
  Value arguments;               // tuple with names
  Log log;
};

class Contract {
 public:
  Contract(RpcClient& rpc, const Address& address, std::shared_ptr<const ContractAbi> abi)
      : rpc_(&rpc), address_(address), abi_(std::move(abi)) {}

  const Address& address() const { return address_; }
  const ContractAbi& abi() const { return *abi_; }

  // The results as a tuple with names.
  Value call(std::string_view function, const Values& arguments = {},
             const BlockTag& tag = {}) const;
  Receipt send(Sender& sender, std::string_view function, const Values& arguments = {},
               const U256& value = 0) const;
  // Logs of one event over a range of blocks.
  std::vector<DecodedLog> logs(std::string_view event, uint64_t from_block,
                               std::optional<uint64_t> to_block = std::nullopt,
                               const std::vector<std::optional<Value>>& indexed = {}) const;
  // This contract's events in a receipt (or any list of logs); logs of others are passed over.
  std::vector<DecodedLog> decode(const std::vector<Log>& logs) const;

 private:
  RpcClient* rpc_;
  Address address_;
  std::shared_ptr<const ContractAbi> abi_;
};

}  // namespace ffe::evm
