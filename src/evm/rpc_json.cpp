#include "evm/rpc_json.hpp"

#include <algorithm>

#include "base/hex.hpp"

namespace ffe::evm {
namespace {

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kNetwork, "the node's answer: " + std::string(what) + ": " + why,
              "check that the URL is an Ethereum JSON-RPC endpoint");
}

const std::string& text_of(const Json& value, std::string_view what) {
  if (!value.is_string()) bad(what, "not a string");
  return value.get_ref<const std::string&>();
}

const Json& member(const Json& object, const char* key, std::string_view what) {
  if (!object.is_object()) bad(what, "not an object");
  auto it = object.find(key);
  if (it == object.end()) bad(what, std::string("no \"") + key + "\"");
  return *it;
}

bool present(const Json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && !it->is_null();
}

uint64_t number_member(const Json& object, const char* key, std::string_view what) {
  return u64_from_json(member(object, key, what), std::string(what) + "." + key);
}

H256 hash_member(const Json& object, const char* key, std::string_view what) {
  return hash_from_json(member(object, key, what), std::string(what) + "." + key);
}

Address address_from_json(const Json& value, std::string_view what) {
  Bytes bytes = bytes_from_json(value, what);
  if (bytes.size() != Address::kSize) bad(what, "not an address");
  return Address::from(bytes);
}

Address address_member(const Json& object, const char* key, std::string_view what) {
  return address_from_json(member(object, key, what), std::string(what) + "." + key);
}

std::optional<Address> optional_address(const Json& object, const char* key,
                                        std::string_view what) {
  if (!present(object, key)) return std::nullopt;
  return address_member(object, key, what);
}

}  // namespace

U256 quantity_from_json(const Json& value, std::string_view what) {
  const std::string& text = text_of(value, what);
  try {
    return U256::parse_quantity(text);
  } catch (const Error& e) {
    bad(what, e.what());
  }
}

uint64_t u64_from_json(const Json& value, std::string_view what) {
  U256 number = quantity_from_json(value, what);
  if (!number.fits_u64()) bad(what, "larger than 64 bits");
  return number.to_u64();
}

Bytes bytes_from_json(const Json& value, std::string_view what) {
  const std::string& text = text_of(value, what);
  if (!text.starts_with("0x")) bad(what, "hex without 0x");
  try {
    return from_hex(text);
  } catch (const Error& e) {
    bad(what, e.what());
  }
}

H256 hash_from_json(const Json& value, std::string_view what) {
  Bytes bytes = bytes_from_json(value, what);
  if (bytes.size() != H256::kSize) bad(what, "not 32 bytes");
  return H256::from(bytes);
}

Block block_from_json(const Json& value) {
  Block out;
  out.number = number_member(value, "number", "block");
  out.hash = hash_member(value, "hash", "block");
  out.parent_hash = hash_member(value, "parentHash", "block");
  out.timestamp = number_member(value, "timestamp", "block");
  out.gas_limit = number_member(value, "gasLimit", "block");
  if (present(value, "baseFeePerGas")) {
    out.base_fee_per_gas = quantity_from_json(value["baseFeePerGas"], "block.baseFeePerGas");
  }
  return out;
}

Log log_from_json(const Json& value) {
  Log out;
  out.address = address_member(value, "address", "log");
  const Json& topics = member(value, "topics", "log");
  if (!topics.is_array() || topics.size() > 4) bad("log.topics", "not a list of at most 4");
  for (const Json& topic : topics) out.topics.push_back(hash_from_json(topic, "log.topics"));
  out.data = bytes_from_json(member(value, "data", "log"), "log.data");
  out.block_number = number_member(value, "blockNumber", "log");
  out.block_hash = hash_member(value, "blockHash", "log");
  out.tx_hash = hash_member(value, "transactionHash", "log");
  out.tx_index = number_member(value, "transactionIndex", "log");
  out.log_index = number_member(value, "logIndex", "log");
  return out;
}

Receipt receipt_from_json(const Json& value) {
  Receipt out;
  out.tx_hash = hash_member(value, "transactionHash", "receipt");
  out.block_hash = hash_member(value, "blockHash", "receipt");
  out.block_number = number_member(value, "blockNumber", "receipt");
  out.success = number_member(value, "status", "receipt") == 1;
  out.from = address_member(value, "from", "receipt");
  out.to = optional_address(value, "to", "receipt");
  out.contract_address = optional_address(value, "contractAddress", "receipt");
  out.gas_used = number_member(value, "gasUsed", "receipt");
  if (present(value, "effectiveGasPrice")) {
    out.effective_gas_price =
        quantity_from_json(value["effectiveGasPrice"], "receipt.effectiveGasPrice");
  }
  const Json& logs = member(value, "logs", "receipt");
  if (!logs.is_array()) bad("receipt.logs", "not a list");
  for (const Json& log : logs) out.logs.push_back(log_from_json(log));
  return out;
}

Json call_to_json(const CallRequest& request) {
  Json out = Json::object();
  if (request.from) out["from"] = to_hex0x(request.from->bytes);
  if (request.to) out["to"] = to_hex0x(request.to->bytes);
  // "input" is the member's name in the specification, "data" what older nodes read.
  if (!request.data.empty()) out["data"] = out["input"] = to_hex0x(request.data);
  if (!request.value.is_zero()) out["value"] = request.value.to_hex_quantity();
  if (request.gas_price) out["gasPrice"] = request.gas_price->to_hex_quantity();
  if (request.gas) out["gas"] = U256(*request.gas).to_hex_quantity();
  return out;
}

Json filter_to_json(const LogFilter& filter, uint64_t from, uint64_t to) {
  Json out = {{"fromBlock", U256(from).to_hex_quantity()}, {"toBlock", U256(to).to_hex_quantity()}};
  if (filter.addresses.size() == 1) out["address"] = to_hex0x(filter.addresses[0].bytes);
  if (filter.addresses.size() > 1) {
    for (const Address& address : filter.addresses) {
      out["address"].push_back(to_hex0x(address.bytes));
    }
  }
  if (!filter.topics.empty()) out["topics"] = Json::array();
  for (const std::vector<H256>& any_of : filter.topics) {
    Json position;
    if (any_of.size() == 1) position = to_hex0x(any_of[0].bytes);
    if (any_of.size() > 1) {
      for (const H256& topic : any_of) position.push_back(to_hex0x(topic.bytes));
    }
    out["topics"].push_back(std::move(position));
  }
  return out;
}

bool filter_matches(const LogFilter& filter, uint64_t from, uint64_t to, const Log& log) {
  auto holds = [](const auto& list, const auto& item) {
    return list.empty() || std::find(list.begin(), list.end(), item) != list.end();
  };
  if (log.block_number < from || log.block_number > to) return false;
  if (!holds(filter.addresses, log.address)) return false;
  for (size_t i = 0; i < filter.topics.size(); ++i) {
    if (filter.topics[i].empty()) continue;
    if (i >= log.topics.size() || !holds(filter.topics[i], log.topics[i])) return false;
  }
  return true;
}

}  // namespace ffe::evm
