// JSON with limits for hostile input, and the canonical form that the protocol hashes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace ffe {

using Json = nlohmann::json;

struct JsonLimits {
  size_t max_bytes = 64u << 20;
  size_t max_depth = 64;
};

// Parses strict JSON (RFC 8259, UTF-8, no duplicate keys). Throws Error{kBadInput}: `what` names
// the document, the message gives the byte offset.
Json parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});

// RFC 8785 (JCS) for documents of strings, integers (|n| < 2^53), booleans, arrays and objects.
// Throws Error{kBadInput} on null, floating-point numbers and larger integers.
std::string canonical_json(const Json& value);

// Typed access to members with errors that name the path: `what` is "<document>.<member>".
const Json& json_member(const Json& object, std::string_view key, std::string_view what);
std::string json_string(const Json& object, std::string_view key, std::string_view what);
uint64_t json_uint(const Json& object, std::string_view key, std::string_view what);

}  // namespace ffe
