#include "evm/eip712.hpp"

#include <algorithm>

#include "crypto/keccak.hpp"
#include "evm/signature_parser.hpp"

namespace ffe::evm {
namespace {

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, "typed data: " + why);
}

std::string item_path(const std::string& path, size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

const Values& list_of(const Value& value, const std::string& path) {
  const Values* items = std::get_if<Values>(&value.data());
  if (items == nullptr) bad(path + ": a list is needed, got " + value.to_string());
  return *items;
}

}  // namespace

H256 domain_separator(std::string_view name, std::string_view version, const U256& chain_id,
                      const Address& verifying_contract) {
  static const StructTypes kDomain(
      {"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"});
  return kDomain.hash_struct("EIP712Domain", {name, version, chain_id, verifying_contract});
}

H256 typed_data_digest(const H256& domain, const H256& struct_hash) {
  constexpr std::array<uint8_t, 2> kPrefix{0x19, 0x01};
  return crypto::keccak256(concat({kPrefix, domain.bytes, struct_hash.bytes}));
}

StructTypes::StructTypes(const std::vector<std::string_view>& definitions) {
  for (std::string_view text : definitions) add_all(text);
  for (auto& [name, type] : structs_) {
    std::set<std::string> referenced;
    std::vector<std::string> path;
    collect(name, referenced, path);
    referenced.erase(name);
    type.encoded_type = type.definition;
    for (const std::string& other : referenced) type.encoded_type += structs_[other].definition;
    type.hash = crypto::keccak256(type.encoded_type);
  }
}

void StructTypes::add_all(std::string_view definitions) {
  SignatureParser parser(definitions);
  do {
    std::string name = parser.identifier("a struct's name");
    if (elementary_type(name)) parser.fail("\"" + name + "\" is an elementary type");
    Struct type;
    type.definition = name + "(";
    parser.expect('(');
    if (!parser.take(')')) {
      do {
        Member member;
        member.base = parser.identifier("a type");
        member.atom = elementary_type(member.base);
        if (member.atom && member.atom->canonical() != member.base) {
          parser.fail("write \"" + member.atom->canonical() + "\" for \"" + member.base + "\"");
        }
        std::string written = member.base;
        while (auto length = parser.array_suffix()) {
          written += "[" + (*length ? std::to_string(**length) : "") + "]";
          member.lengths.push_back(*length);
        }
        member.name = parser.identifier("a member's name");
        type.definition += (type.members.empty() ? "" : ",") + written + " " + member.name;
        type.members.push_back(std::move(member));
      } while (parser.take(','));
      parser.expect(')');
    }
    type.definition += ")";
    if (!structs_.emplace(name, std::move(type)).second) parser.fail("defined twice: " + name);
  } while (!parser.at_end());
}

const StructTypes::Struct& StructTypes::find(std::string_view name) const {
  auto it = structs_.find(name);
  if (it == structs_.end()) bad("no struct \"" + std::string(name) + "\" is defined");
  return it->second;
}

void StructTypes::collect(const std::string& name, std::set<std::string>& found,
                          std::vector<std::string>& path) const {
  if (std::find(path.begin(), path.end(), name) != path.end()) bad("\"" + name + "\" holds itself");
  if (!found.insert(name).second) return;
  path.push_back(name);
  for (const Member& member : find(name).members) {
    if (!member.atom) collect(member.base, found, path);
  }
  path.pop_back();
}

std::string StructTypes::encode_type(std::string_view name) const {
  return find(name).encoded_type;
}

H256 StructTypes::type_hash(std::string_view name) const {
  return find(name).hash;
}

H256 StructTypes::hash_struct(std::string_view name, const Values& members) const {
  return hash_members(find(name), members, std::string(name));
}

H256 StructTypes::hash_members(const Struct& type, const Values& members,
                               const std::string& path) const {
  if (members.size() != type.members.size()) {
    bad(path + ": " + std::to_string(type.members.size()) + " members are needed, got " +
        std::to_string(members.size()));
  }
  crypto::Keccak256 hash;
  hash.update(type.hash.bytes);
  for (size_t i = 0; i < members.size(); ++i) {
    const Member& member = type.members[i];
    hash.update(
        encode_member(member, member.lengths.size(), members[i], path + "." + member.name).bytes);
  }
  return hash.finish();
}

H256 StructTypes::encode_member(const Member& member, size_t depth, const Value& value,
                                const std::string& path) const {
  if (depth > 0) {
    const Values& items = list_of(value, path);
    const std::optional<size_t>& length = member.lengths[depth - 1];
    if (length && *length != items.size()) {
      bad(path + ": " + std::to_string(*length) + " items are needed, got " +
          std::to_string(items.size()));
    }
    crypto::Keccak256 hash;
    for (size_t i = 0; i < items.size(); ++i) {
      hash.update(encode_member(member, depth - 1, items[i], item_path(path, i)).bytes);
    }
    return hash.finish();
  }
  if (!member.atom) return hash_members(find(member.base), list_of(value, path), path);
  try {
    if (member.atom->kind == Type::Kind::kString) return crypto::keccak256(value.as_string());
    if (member.atom->kind == Type::Kind::kBytes) return crypto::keccak256(value.as_bytes());
    return H256::from(abi_encode({*member.atom}, {value}));
  } catch (const Error& e) {
    bad(path + ": " + e.what());
  }
}

H256 hash_struct(std::string_view encoded_type, const Values& members) {
  return StructTypes({encoded_type})
      .hash_struct(encoded_type.substr(0, encoded_type.find('(')), members);
}

}  // namespace ffe::evm
