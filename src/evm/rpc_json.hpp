// What nodes answer, checked and typed; internal to this room. All throw Error{kNetwork} that names
// the member: an answer out of protocol is the endpoint's fault.
#pragma once

#include <string_view>

#include "evm/rpc.hpp"

namespace ffe::evm {

U256 quantity_from_json(const Json& value, std::string_view what);
uint64_t u64_from_json(const Json& value, std::string_view what);
Bytes bytes_from_json(const Json& value, std::string_view what);
H256 hash_from_json(const Json& value, std::string_view what);

Block block_from_json(const Json& value);
Log log_from_json(const Json& value);
Receipt receipt_from_json(const Json& value);

Json call_to_json(const CallRequest& request);
Json filter_to_json(const LogFilter& filter, uint64_t from, uint64_t to);
bool filter_matches(const LogFilter& filter, uint64_t from, uint64_t to, const Log& log);

}  // namespace ffe::evm
