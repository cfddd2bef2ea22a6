#include "evm/contract.hpp"

#include "crypto/address.hpp"

namespace ffe::evm {

Value Contract::call(std::string_view function, const Values& arguments,
                     const BlockTag& tag) const {
  return rpc_->read(address_, abi_->function(function), arguments, tag);
}

Receipt Contract::send(Sender& sender, std::string_view function, const Values& arguments,
                       const U256& value) const {
  return sender.send(address_, abi_->function(function), arguments, value);
}

std::vector<DecodedLog> Contract::logs(std::string_view event, uint64_t from_block,
                                       std::optional<uint64_t> to_block,
                                       const std::vector<std::optional<Value>>& indexed) const {
  return decode(rpc_->logs({{address_}, abi_->event(event).filter(indexed), from_block, to_block}));
}

std::vector<DecodedLog> Contract::decode(const std::vector<Log>& logs) const {
  std::vector<DecodedLog> out;
  for (const Log& log : logs) {
    if (log.address != address_) continue;
    const Event* event = abi_->find_event(log.topics);
    if (event == nullptr) continue;
    try {
      out.push_back({event, event->decode(log.topics, log.data), log});
    } catch (const Error& e) {
      throw Error(ErrorCode::kChain, crypto::checksum_address(address_) + ": " + e.what(),
                  "the contract has another interface than expected: check the address");
    }
  }
  return out;
}

}  // namespace ffe::evm
