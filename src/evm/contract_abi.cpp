#include "evm/contract_abi.hpp"

#include <algorithm>

#include "base/hex.hpp"
#include "evm/signature_parser.hpp"

namespace ffe::evm {
namespace {

[[noreturn]] void bad(std::string_view what, const std::string& why) {
  throw Error(ErrorCode::kBadInput, std::string(what) + ": " + why);
}

constexpr size_t kMaxEntries = 4096;
constexpr size_t kMaxParams = 256;

// "tuple[3][]" with components, or any type text.
Type json_type(const Json& param, const std::string& what, int depth);

std::vector<Param> json_params(const Json& entry, std::string_view key, const std::string& what,
                               int depth = 0) {
  std::vector<Param> out;
  if (depth > 8) bad(what, "nested too deeply");
  const Json& list = json_member(entry, key, what);
  if (!list.is_array() || list.size() > kMaxParams) {
    bad(what, "\"" + std::string(key) + "\" is not a list of parameters");
  }
  for (size_t i = 0; i < list.size(); ++i) {
    std::string path = what + "." + std::string(key) + "[" + std::to_string(i) + "]";
    Param param;
    param.type = json_type(list[i], path, depth);
    if (list[i].contains("name")) param.name = json_string(list[i], "name", path);
    param.indexed = list[i].contains("indexed") && list[i]["indexed"] == true;
    out.push_back(std::move(param));
  }
  return out;
}

Type json_type(const Json& param, const std::string& what, int depth) {
  std::string text = json_string(param, "type", what);
  if (!text.starts_with("tuple")) return parse_type(text);
  Type tuple = Type::tuple(json_params(param, "components", what, depth + 1));
  if (tuple.items.empty()) bad(what, "a tuple without members");
  // The suffixes are parsed on a stand-in of the same size, then the tuple takes its place.
  Type shape = parse_type(tuple.canonical() + text.substr(5));
  Type* place = &shape;
  while (place->kind == Type::Kind::kArray) place = &place->items[0];
  *place = std::move(tuple);
  return shape;
}

template <class Item>
const Item& find(const std::vector<Item>& items, std::string_view name, std::string_view kind) {
  const Item* found = nullptr;
  for (const Item& item : items) {
    if (item.signature() == name) return item;
    if (item.name != name) continue;
    if (found != nullptr) {
      bad("ABI", std::string(kind) + " \"" + std::string(name) +
                     "\" is overloaded: name it with its parameter types");
    }
    found = &item;
  }
  if (found == nullptr) bad("ABI", "no " + std::string(kind) + " \"" + std::string(name) + "\"");
  return *found;
}

std::string_view panic_meaning(const U256& code) {
  if (!code.fits_u64()) return "unknown panic";
  switch (code.to_u64()) {
    case 0x00:
      return "compiler-inserted panic";
    case 0x01:
      return "assertion failed";
    case 0x11:
      return "arithmetic overflow or underflow";
    case 0x12:
      return "division by zero";
    case 0x21:
      return "value out of range of its enum";
    case 0x22:
      return "wrongly encoded storage";
    case 0x31:
      return "pop from an empty array";
    case 0x32:
      return "index out of bounds";
    case 0x41:
      return "out of memory";
    case 0x51:
      return "call of an uninitialised function";
    default:
      return "unknown panic";
  }
}

const std::vector<ErrorDef>& solidity_errors() {
  static const std::vector<ErrorDef> kErrors = {parse_error("error Error(string message)"),
                                                parse_error("error Panic(uint256 code)")};
  return kErrors;
}

std::optional<Revert> decode_as(const ErrorDef& definition, ByteView data) {
  try {
    Value arguments = definition.decode(data);
    return Revert{definition.name, arguments, definition.name + arguments.to_string()};
  } catch (const Error&) {
    return std::nullopt;  // the selector fits, the rest does not: another contract's error
  }
}

std::optional<Revert> solidity_revert(ByteView data) {
  for (const ErrorDef& definition : solidity_errors()) {
    if (!std::ranges::equal(definition.selector(), data.first(4))) continue;
    std::optional<Revert> out = decode_as(definition, data);
    if (!out) return out;
    if (out->name == "Error") {
      std::string quoted = out->arguments[0].to_string();
      out->text = quoted.substr(1, quoted.size() - 2);
    } else {
      U256 code = out->arguments[0].as_u256();
      out->text = "Panic(" + code.to_hex_quantity() + "): " + std::string(panic_meaning(code));
    }
    return out;
  }
  return std::nullopt;
}

std::string revert_text(const std::optional<Revert>& revert, ByteView data) {
  if (revert) return revert->text;
  if (data.empty()) return "no reason given";
  return "unknown error " + Value(data).to_string();
}

}  // namespace

ContractAbi ContractAbi::from_json(const Json& json, std::string_view what) {
  const Json& list = json.is_object() ? json_member(json, "abi", what) : json;
  if (!list.is_array() || list.size() > kMaxEntries) bad(what, "not a list of ABI entries");
  ContractAbi out;
  for (size_t i = 0; i < list.size(); ++i) {
    std::string path = std::string(what) + "[" + std::to_string(i) + "]";
    const Json& entry = list[i];
    std::string kind = json_string(entry, "type", path);
    if (kind == "constructor") out.constructor_ = json_params(entry, "inputs", path);
    if (kind != "function" && kind != "event" && kind != "error") continue;
    std::string name = json_string(entry, "name", path);
    path += " (" + name + ")";
    std::vector<Param> inputs = json_params(entry, "inputs", path);
    if (kind == "error") {
      out.errors_.push_back({name, std::move(inputs)});
    } else if (kind == "event") {
      bool anonymous = entry.contains("anonymous") && entry["anonymous"] == true;
      out.events_.push_back({name, std::move(inputs), anonymous});
    } else {
      Function function{name, std::move(inputs), json_params(entry, "outputs", path), "nonpayable"};
      if (entry.contains("stateMutability")) {
        function.mutability = json_string(entry, "stateMutability", path);
      }
      out.functions_.push_back(std::move(function));
    }
  }
  return out;
}

ContractAbi ContractAbi::from_signatures(const std::vector<std::string_view>& signatures) {
  ContractAbi out;
  for (std::string_view text : signatures) {
    SignatureParser parser(text);
    if (parser.take_word("event")) {
      out.events_.push_back(parse_event(text));
    } else if (parser.take_word("error")) {
      out.errors_.push_back(parse_error(text));
    } else if (parser.take_word("constructor")) {
      out.constructor_ = parser.params(false);
    } else {
      out.functions_.push_back(parse_function(text));
    }
  }
  return out;
}

const Function& ContractAbi::function(std::string_view name) const {
  return find(functions_, name, "function");
}
const Event& ContractAbi::event(std::string_view name) const {
  return find(events_, name, "event");
}
const ErrorDef& ContractAbi::error(std::string_view name) const {
  return find(errors_, name, "error");
}

const Event* ContractAbi::find_event(const std::vector<H256>& topics) const {
  for (const Event& event : events_) {
    if (!event.anonymous && event.matches(topics)) return &event;
  }
  return nullptr;
}

const ErrorDef* ContractAbi::find_error(const Selector& selector) const {
  for (const ErrorDef& error : errors_) {
    if (error.selector() == selector) return &error;
  }
  return nullptr;
}

std::optional<Revert> ContractAbi::find_revert(ByteView data) const {
  if (data.size() < 4) return std::nullopt;
  if (const ErrorDef* own = find_error(Selector::from(data.first(4)))) return decode_as(*own, data);
  return solidity_revert(data);
}

std::string ContractAbi::decode_revert(ByteView data) const {
  return revert_text(find_revert(data), data);
}

std::shared_ptr<const ContractAbi> load_abi(std::string_view json, std::string_view what) {
  return std::make_shared<const ContractAbi>(ContractAbi::from_json(parse_json(json, what), what));
}

std::optional<Revert> AbiRegistry::find_revert(ByteView data) const {
  if (data.size() < 4) return std::nullopt;
  for (const ContractAbi& abi : abis_) {
    if (std::optional<Revert> revert = abi.find_revert(data)) return revert;
  }
  return solidity_revert(data);
}

std::string AbiRegistry::decode_revert(ByteView data) const {
  return revert_text(find_revert(data), data);
}

Bytes creation_code(const Json& artifact, const Values& constructor_arguments,
                    std::string_view what) {
  const Json& member = json_member(artifact, "bytecode", what);
  std::string hex = member.is_object() ? json_string(member, "object", what)
                                       : json_string(artifact, "bytecode", what);
  if (hex.find("__") != std::string::npos) bad(what, "the bytecode has libraries to be linked");
  if (hex.empty() || hex == "0x") {
    bad(what, "no bytecode: an interface or abstract contract cannot be deployed");
  }
  Bytes out;
  try {
    out = from_hex(hex);
  } catch (const Error& e) {
    bad(what, std::string("bytecode: ") + e.what());
  }
  ContractAbi abi = ContractAbi::from_json(artifact, what);
  append(out, abi_encode_members(Type::tuple(abi.constructor_inputs()), constructor_arguments));
  return out;
}

}  // namespace ffe::evm
