// A contract's whole interface, and what its reverts mean.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "evm/abi_items.hpp"

namespace ffe::evm {

// A decoded revert: a custom error, Error(string) or Panic(uint256).
struct Revert {
  std::string name;  // "SubmitClosed", "Error", "Panic"
  Value arguments;   // tuple with names
  std::string text;  // "SubmitClosed(deadline=17)"; for Error(string) the message itself
};

class ContractAbi {
 public:
  ContractAbi() = default;
  // The JSON ABI: an array, or a compiler artifact with a member "abi". Entries of kinds that are
  // not used here (constructor, fallback, receive) are checked lightly. Throws Error{kBadInput}
  // that names the entry; `what` names the document.
  static ContractAbi from_json(const Json& json, std::string_view what = "ABI");
  static ContractAbi from_signatures(const std::vector<std::string_view>& signatures);

  // By name, or by signature where a name is overloaded. Throw Error{kBadInput} when absent or
  // ambiguous.
  const Function& function(std::string_view name) const;
  const Event& event(std::string_view name) const;
  const ErrorDef& error(std::string_view name) const;
  const Event* find_event(const std::vector<H256>& topics) const;
  const ErrorDef* find_error(const Selector& selector) const;
  const std::vector<Function>& functions() const { return functions_; }
  const std::vector<Event>& events() const { return events_; }
  const std::vector<ErrorDef>& errors() const { return errors_; }
  // The constructor's parameters; empty when there is none.
  const std::vector<Param>& constructor_inputs() const { return constructor_; }

  std::optional<Revert> find_revert(ByteView data) const;
  // Never throws: unknown data appear as hex, none as "no reason given".
  std::string decode_revert(ByteView data) const;

 private:
  std::vector<Function> functions_;
  std::vector<Event> events_;
  std::vector<ErrorDef> errors_;
  std::vector<Param> constructor_;
};

// ContractAbi::from_json of a text, for interfaces that are compiled in and shared.
std::shared_ptr<const ContractAbi> load_abi(std::string_view json, std::string_view what);

// The interfaces that an application talks to, asked in order for the meaning of a revert.
class AbiRegistry {
 public:
  void add(ContractAbi abi) { abis_.push_back(std::move(abi)); }
  std::optional<Revert> find_revert(ByteView data) const;
  std::string decode_revert(ByteView data) const;

 private:
  std::vector<ContractAbi> abis_;
};

// The creation code of a compiler artifact ("bytecode.object" of forge, "bytecode" of hardhat) with
// the constructor's arguments appended. Throws Error{kBadInput} if libraries are not linked.
Bytes creation_code(const Json& artifact, const Values& constructor_arguments = {},
                    std::string_view what = "artifact");

}  // namespace ffe::evm
