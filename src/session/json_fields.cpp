#include "session/json_fields.hpp"

#include "session/certificates.hpp"

namespace ffe::session {

void bad_field(const std::string& where, const std::string& why) {
  throw Error(ErrorCode::kBadInput, where + " " + why);
}

Fields::Fields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
  if (!json.is_object()) bad_field(where_, "is not an object");
}

const Json& Fields::member(std::string_view key) {
  auto it = json_.find(key);
  if (it == json_.end()) bad_field(path(key), "is missing");
  seen_.emplace(key);
  return *it;
}

uint64_t Fields::get_unsigned(std::string_view key, uint64_t max) {
  const Json& v = member(key);
  if (!v.is_number_integer() || (!v.is_number_unsigned() && v.get<int64_t>() < 0)) {
    bad_field(path(key), "is not a whole number");
  }
  const uint64_t n = v.get<uint64_t>();
  if (n > max) bad_field(path(key), "is above " + std::to_string(max));
  return n;
}

void Fields::get(std::string_view key, int64_t& out) {
  const Json& v = member(key);
  if (!v.is_number_integer() || (v.is_number_unsigned() && v.get<uint64_t>() > uint64_t{1} << 62)) {
    bad_field(path(key), "is not a whole number");
  }
  out = v.get<int64_t>();
}

void Fields::get(std::string_view key, std::string& out) {
  const Json& v = member(key);
  if (!v.is_string()) bad_field(path(key), "is not a string");
  out = v.get<std::string>();
}

void Fields::get(std::string_view key, evm::U256& out) {
  std::string text;
  get(key, text);
  try {
    out = evm::U256::parse(text);
  } catch (const Error&) {
    bad_field(path(key), "is not a decimal number below 2^256");
  }
  if (out.to_string() != text) bad_field(path(key), "is not in plain decimal form");
}

void Fields::get(std::string_view key, unsigned __int128& out) {
  std::string text;
  get(key, text);
  out = uint128_from_decimal(text, path(key));
}

void Fields::expect(std::string_view key, std::string_view text) {
  std::string found;
  get(key, found);
  if (found != text) bad_field(path(key), "is not \"" + std::string(text) + "\"");
}

void Fields::each(std::string_view key, size_t limit,
                  const std::function<void(const Json&, const std::string&)>& item) {
  const Json& list = member(key);
  if (!list.is_array()) bad_field(path(key), "is not an array");
  if (list.size() > limit)
    bad_field(path(key), "has more than " + std::to_string(limit) + " items");
  for (size_t i = 0; i < list.size(); ++i) {
    item(list[i], path(key) + "[" + std::to_string(i) + "]");
  }
}

void Fields::done() const {
  for (auto it = json_.begin(); it != json_.end(); ++it) {
    if (!seen_.contains(it.key())) bad_field(path(it.key()), "is not a known member");
  }
}

Json parse_canonical(std::string_view text, std::string_view what, size_t max_bytes) {
  Json json = parse_json(text, what, {.max_bytes = max_bytes, .max_depth = 16});
  if (canonical_json(json) != text) {
    throw Error(ErrorCode::kBadInput, std::string(what) + " is not in canonical form (RFC 8785)",
                "its hash would depend on spaces or on the order of members");
  }
  return json;
}

}  // namespace ffe::session
