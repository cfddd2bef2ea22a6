// EIP-712: hashing of typed structured data.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "evm/abi.hpp"

namespace ffe::evm {

// EIP712Domain(string name,string version,uint256 chainId,address verifyingContract), hashed.
H256 domain_separator(std::string_view name, std::string_view version, const U256& chain_id,
                      const Address& verifying_contract);

// keccak256(0x19 ‖ 0x01 ‖ domain ‖ struct_hash): what is signed.
H256 typed_data_digest(const H256& domain, const H256& struct_hash);

// Struct definitions such as "Mail(Person from,Person[] to,string contents)", in any order, each
// text holding one or several of them back to back. Members may be atomic types, bytes, string,
// structs, and fixed or dynamic arrays of any of these.
class StructTypes {
 public:
  // Throws Error{kBadInput} for malformed, repeated, undefined or recursive definitions.
  explicit StructTypes(const std::vector<std::string_view>& definitions);

  // The definition followed by the referenced ones in alphabetical order.
  std::string encode_type(std::string_view name) const;
  H256 type_hash(std::string_view name) const;
  // hashStruct; `members` in the order of the definition, structs as lists of their members.
  // Throws Error{kBadInput} that names the member where a value does not fit.
  H256 hash_struct(std::string_view name, const Values& members) const;

 private:
  struct Member {
    std::string name;
    std::string base;                            // the type without array suffixes
    std::optional<Type> atom;                    // none: `base` is a struct
    std::vector<std::optional<size_t>> lengths;  // array suffixes from left to right
  };
  struct Struct {
    std::string definition;
    std::vector<Member> members;
    std::string encoded_type;
    H256 hash;
  };

  const Struct& find(std::string_view name) const;
  void add_all(std::string_view definitions);
  void collect(const std::string& name, std::set<std::string>& found,
               std::vector<std::string>& path) const;
  H256 hash_members(const Struct& type, const Values& members, const std::string& path) const;
  // The 32 bytes that stand for `value`, of which the first `depth` array suffixes count.
  H256 encode_member(const Member& member, size_t depth, const Value& value,
                     const std::string& path) const;

  std::map<std::string, Struct, std::less<>> structs_;
};

// One-shot: `encoded_type` is the primary definition followed by the referenced ones.
H256 hash_struct(std::string_view encoded_type, const Values& members);

}  // namespace ffe::evm
