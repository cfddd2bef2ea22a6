#include "evm/abi_items.hpp"

#include <algorithm>

#include "crypto/keccak.hpp"
#include "evm/signature_parser.hpp"

namespace ffe::evm {
namespace {

[[noreturn]] void bad(const std::string& why) {
  throw Error(ErrorCode::kBadInput, why);
}

std::string signature_of(const std::string& name, const std::vector<Param>& inputs) {
  return name + Type::tuple(inputs).canonical();
}

Selector selector_of(const std::string& signature) {
  return Selector::from(ByteView(crypto::keccak256(signature).bytes).first(4));
}

Bytes with_selector(const Selector& selector, const Type& tuple, const Values& values) {
  Bytes out(selector.begin(), selector.end());
  append(out, abi_encode_members(tuple, values));
  return out;
}

Value after_selector(const Selector& selector, const std::string& signature, const Type& tuple,
                     ByteView data) {
  if (data.size() < 4 || !std::equal(selector.begin(), selector.end(), data.begin())) {
    bad("these bytes do not begin with the selector of " + signature);
  }
  return abi_decode_members(tuple, data.subspan(4));
}

// Whether an indexed parameter is its own topic (otherwise the topic is a hash of it).
bool fits_topic(const Type& type) {
  return type.items.empty() && !type.is_dynamic();
}

H256 topic_of(const Type& type, const Value& value) {
  if (type.kind == Type::Kind::kString) return crypto::keccak256(value.as_string());
  if (type.kind == Type::Kind::kBytes) return crypto::keccak256(value.as_bytes());
  if (!fits_topic(type)) {
    bad("a filter cannot be made from an indexed " + type.canonical() + ": give its hash");
  }
  return H256::from(abi_encode({type}, {value}));
}

void parse_function_tail(SignatureParser& parser, Function& out) {
  while (true) {
    std::string_view word = parser.peek_word();
    if (word == "pure" || word == "view" || word == "payable" || word == "nonpayable") {
      out.mutability = std::string(word);
    } else if (word != "external" && word != "public" && word != "virtual" && word != "override") {
      break;
    }
    parser.take_word(word);
  }
  if (parser.take_word("returns")) out.outputs = parser.params(false);
}

}  // namespace

std::string Function::signature() const {
  return signature_of(name, inputs);
}
Selector Function::selector() const {
  return selector_of(signature());
}

Bytes Function::encode_call(const Values& arguments) const {
  try {
    return with_selector(selector(), Type::tuple(inputs), arguments);
  } catch (const Error& e) {
    throw Error(e.code(), "arguments of " + name + ": " + e.what(), e.hint());
  }
}

Value Function::decode_call(ByteView calldata) const {
  return after_selector(selector(), signature(), Type::tuple(inputs), calldata);
}

Value Function::decode_result(ByteView data) const {
  try {
    return abi_decode_members(Type::tuple(outputs), data, Trailing::kAllow);
  } catch (const Error& e) {
    throw Error(e.code(), "result of " + name + ": " + e.what(), e.hint());
  }
}

std::string ErrorDef::signature() const {
  return signature_of(name, inputs);
}
Selector ErrorDef::selector() const {
  return selector_of(signature());
}

Bytes ErrorDef::encode(const Values& arguments) const {
  return with_selector(selector(), Type::tuple(inputs), arguments);
}

Value ErrorDef::decode(ByteView revert_data) const {
  return after_selector(selector(), signature(), Type::tuple(inputs), revert_data);
}

std::string Event::signature() const {
  return signature_of(name, inputs);
}
H256 Event::topic() const {
  return crypto::keccak256(signature());
}

std::vector<std::vector<H256>> Event::filter(
    const std::vector<std::optional<Value>>& indexed) const {
  std::vector<std::vector<H256>> out;
  if (!anonymous) out.push_back({topic()});
  size_t next = 0;
  for (const Param& param : inputs) {
    if (!param.indexed || next == indexed.size()) continue;
    const std::optional<Value>& value = indexed[next++];
    out.push_back(value ? std::vector<H256>{topic_of(param.type, *value)} : std::vector<H256>{});
  }
  if (next != indexed.size()) {
    bad("event " + name + " has only " + std::to_string(next) + " indexed parameters");
  }
  while (!out.empty() && out.back().empty()) out.pop_back();
  return out;
}

bool Event::matches(const std::vector<H256>& topics) const {
  size_t wanted = anonymous ? 0 : 1;
  for (const Param& param : inputs) wanted += param.indexed ? 1 : 0;
  return topics.size() == wanted && (anonymous || topics[0] == topic());
}

Value Event::decode(const std::vector<H256>& topics, ByteView data) const {
  if (!matches(topics)) bad("the log is not the event " + signature());
  std::vector<Param> plain;
  std::copy_if(inputs.begin(), inputs.end(), std::back_inserter(plain),
               [](const Param& p) { return !p.indexed; });
  try {
    Value rest = abi_decode_members(Type::tuple(plain), data);
    Values out;
    size_t topic = anonymous ? 0 : 1;
    size_t item = 0;
    for (const Param& param : inputs) {
      if (!param.indexed) {
        out.push_back(rest[item++]);
      } else if (fits_topic(param.type)) {
        out.push_back(abi_decode({param.type}, topics[topic++].bytes)[0]);
      } else {
        out.push_back(topics[topic++]);
      }
    }
    return Value::named(std::move(out), Type::tuple(inputs).names);
  } catch (const Error& e) {
    throw Error(e.code(), "event " + name + ": " + e.what(), e.hint());
  }
}

Function parse_function(std::string_view text) {
  SignatureParser parser(text);
  Function out;
  parser.take_word("function");
  out.name = parser.identifier("a function's name");
  out.inputs = parser.params(false);
  parse_function_tail(parser, out);
  parser.expect_end();
  return out;
}

Event parse_event(std::string_view text) {
  SignatureParser parser(text);
  Event out;
  parser.take_word("event");
  out.name = parser.identifier("an event's name");
  out.inputs = parser.params(true);
  out.anonymous = parser.take_word("anonymous");
  parser.expect_end();
  auto indexed =
      std::count_if(out.inputs.begin(), out.inputs.end(), [](const Param& p) { return p.indexed; });
  if (indexed > (out.anonymous ? 4 : 3)) parser.fail("too many indexed parameters");
  return out;
}

ErrorDef parse_error(std::string_view text) {
  SignatureParser parser(text);
  ErrorDef out;
  parser.take_word("error");
  out.name = parser.identifier("an error's name");
  out.inputs = parser.params(false);
  parser.expect_end();
  return out;
}

}  // namespace ffe::evm
