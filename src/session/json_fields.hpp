// Strict reading of JSON objects: every member once, none unknown, errors that name the path.
#pragma once

#include <concepts>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>

#include "base/hex.hpp"
#include "base/json.hpp"
#include "evm/u256.hpp"

namespace ffe::session {

[[noreturn]] void bad_field(const std::string& where, const std::string& why);

// "0x" and exactly 2N lower-case digits: one text per value, so that hashes of texts are unique.
template <size_t N>
FixedBytes<N> hex_value(const Json& json, const std::string& where) {
  if (!json.is_string()) bad_field(where, "is not a hex string");
  const std::string& text = json.get_ref<const std::string&>();
  if (text.size() != 2 + 2 * N || text.find_first_not_of("0123456789abcdef", 2) != text.npos ||
      text.compare(0, 2, "0x") != 0) {
    bad_field(where, "is not 0x and " + std::to_string(2 * N) + " lower-case hex digits");
  }
  return fixed_from_hex<N>(text);
}

class Fields {
 public:
  // Throws Error{kBadInput} unless `json` is an object. `json` must outlive this.
  Fields(const Json& json, std::string where);

  const Json& member(std::string_view key);
  std::string path(std::string_view key) const { return where_ + "." + std::string(key); }

  template <std::unsigned_integral T>
  void get(std::string_view key, T& out) {
    out = static_cast<T>(get_unsigned(key, std::numeric_limits<T>::max()));
  }
  void get(std::string_view key, int64_t& out);
  void get(std::string_view key, std::string& out);
  void get(std::string_view key, evm::U256& out);  // a decimal string
  void get(std::string_view key, unsigned __int128& out);
  template <size_t N>
  void get(std::string_view key, FixedBytes<N>& out) {
    out = hex_value<N>(member(key), path(key));
  }
  // Refuses any other text.
  void expect(std::string_view key, std::string_view text);
  // Calls with every item of an array of at most `limit` and the item's path.
  void each(std::string_view key, size_t limit,
            const std::function<void(const Json& item, const std::string& where)>& item);
  // Throws Error{kBadInput} naming a member that nobody asked for.
  void done() const;

 private:
  uint64_t get_unsigned(std::string_view key, uint64_t max);

  const Json& json_;
  std::string where_;
  std::set<std::string, std::less<>> seen_;
};

// The canonical form of `json`; parsing must give it back byte for byte. Throws Error{kBadInput}.
Json parse_canonical(std::string_view text, std::string_view what, size_t max_bytes);

}  // namespace ffe::session
