#include "evm/abi_items.hpp"
#include "evm/contract_abi.hpp"
#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

std::vector<Type> types_of_params(const std::vector<Param>& params) {
  return Type::tuple(params).items;
}

std::vector<H256> topics_of(const Json& c) {
  std::vector<H256> out;
  for (const Json& topic : c.at("topics")) out.push_back(h256_from_hex(topic.get<std::string>()));
  return out;
}

void check_function(const Json& c, const Function& f) {
  EXPECT_EQ(f.signature(), text_of(c, "signature"));
  Values arguments = values_of(types_of_params(f.inputs), c.at("values"));
  Values results = values_of(types_of_params(f.outputs), c.at("results"));
  Bytes calldata = hex_of(c, "data");
  EXPECT_EQ(to_hex(f.encode_call(arguments)), to_hex(calldata));
  EXPECT_EQ(f.decode_call(calldata), Value(arguments));
  EXPECT_EQ(f.decode_result(hex_of(c, "result")), Value(results));
  calldata[0] ^= 1;
  EXPECT_EQ(error_of([&] { f.decode_call(calldata); }), ErrorCode::kBadInput);
}

void check_event(const Json& c, const Event& event) {
  EXPECT_EQ(event.signature(), text_of(c, "signature"));
  std::vector<H256> topics = topics_of(c);
  Values expected = values_of(types_of_params(event.inputs), c.at("values"));
  Value decoded = event.decode(topics, hex_of(c, "data"));
  std::vector<std::optional<Value>> indexed;
  for (size_t i = 0; i < event.inputs.size(); ++i) {
    const Param& param = event.inputs[i];
    bool hashed = param.indexed && param.type.is_dynamic();
    if (hashed) {
      EXPECT_EQ(decoded[i].as_bytes().size(), 32u);
    } else {
      EXPECT_EQ(decoded[i], expected[i]) << param.name;
      EXPECT_EQ(decoded[param.name], expected[i]);
    }
    if (param.indexed) indexed.push_back(expected[i]);
  }
  std::vector<std::vector<H256>> filter = event.filter(indexed);
  ASSERT_EQ(filter.size(), topics.size());
  for (size_t i = 0; i < topics.size(); ++i) EXPECT_EQ(filter[i], std::vector<H256>{topics[i]});
  topics.push_back({});
  EXPECT_EQ(error_of([&] { event.decode(topics, hex_of(c, "data")); }), ErrorCode::kBadInput);
}

void check_error(const Json& c, const ErrorDef& error) {
  EXPECT_EQ(error.signature(), text_of(c, "signature"));
  Values arguments = values_of(types_of_params(error.inputs), c.at("values"));
  EXPECT_EQ(to_hex(error.encode(arguments)), to_hex(hex_of(c, "data")));
  EXPECT_EQ(error.decode(hex_of(c, "data")), Value(arguments));
}

TEST(items, vectors_from_texts_and_from_json) {
  for (const Json& file : vector_files("items.json")) {
    ContractAbi abi = ContractAbi::from_json(file.at("abi"));
    for (const Json& c : file.at("cases")) {
      std::string text = text_of(c, "text");
      SCOPED_TRACE(text);
      if (c.at("kind") == "function") {
        check_function(c, parse_function(text));
        check_function(c, abi.function(text_of(c, "name")));
        EXPECT_EQ(abi.function(text_of(c, "name")).mutability, parse_function(text).mutability);
      } else if (c.at("kind") == "event") {
        check_event(c, parse_event(text));
        check_event(c, abi.event(text_of(c, "signature")));
      } else {
        check_error(c, parse_error(text));
        check_error(c, abi.error(text_of(c, "name")));
      }
    }
  }
}

TEST(items, texts_that_are_refused) {
  for (const char* bad :
       {"", "function", "function f", "function f(", "function f(uint256) returns", "function 1f()",
        "function f(uint256 a b)", "function f() foo", "function f(uint256 indexed a)",
        "event E(uint256 indexed a)", "function f() returns (bool", "function f();;"}) {
    EXPECT_EQ(error_of([&] { parse_function(bad); }), ErrorCode::kBadInput) << bad;
  }
  EXPECT_EQ(
      error_of([] { parse_event("event E(bool indexed,bool indexed,bool indexed,bool indexed)"); }),
      ErrorCode::kBadInput);
  EXPECT_EQ(parse_function("f(uint)").signature(), "f(uint256)");
}

TEST(contract_abi, json_that_is_refused) {
  for (
      const char* bad :
      {"{}", "1", "[1]", "[{}]", R"([{"type":"function"}])",
       R"([{"type":"function","name":"f","inputs":{}}])",
       R"([{"type":"function","name":"f","inputs":[{"type":"uint7"}],"outputs":[]}])",
       R"([{"type":"function","name":"f","inputs":[{"type":"tuple"}],"outputs":[]}])",
       R"([{"type":"function","name":"f","inputs":[{"type":"tuple","components":[]}],"outputs":[]}])",
       R"([{"type":"error","name":"f","inputs":[{"name":"x"}]}])"}) {
    EXPECT_EQ(error_of([&] { ContractAbi::from_json(Json::parse(bad)); }), ErrorCode::kBadInput)
        << bad;
  }
  Json nested = {{"type", "uint8"}, {"name", "x"}};
  for (int i = 0; i < 40; ++i)
    nested = {{"type", "tuple"}, {"name", "x"}, {"components", {nested}}};
  Json abi = Json::array({{{"type", "error"}, {"name", "E"}, {"inputs", Json::array({nested})}}});
  EXPECT_EQ(error_of([&] { ContractAbi::from_json(abi); }), ErrorCode::kBadInput);
}

TEST(contract_abi, names_and_overloads) {
  ContractAbi abi = ContractAbi::from_signatures(
      {"function f(uint256)", "function f(address)", "function g()", "event E(uint256 indexed a)",
       "error X(uint64 deadline)", "constructor(address owner)"});
  EXPECT_EQ(abi.function("g").name, "g");
  EXPECT_EQ(abi.function("f(address)").inputs[0].type.canonical(), "address");
  EXPECT_EQ(error_of([&] { abi.function("f"); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { abi.event("F"); }), ErrorCode::kBadInput);
  EXPECT_EQ(abi.constructor_inputs().size(), 1u);
  EXPECT_EQ(abi.find_event({abi.event("E").topic(), H256()}), &abi.event("E"));
  EXPECT_EQ(abi.find_event({abi.event("E").topic()}), nullptr);
}

TEST(contract_abi, reverts_in_words) {
  ContractAbi abi = ContractAbi::from_signatures(
      {"error SubmitClosed(uint64 deadline)", "error Missing()", "error Why(string text)"});
  EXPECT_EQ(abi.decode_revert(abi.error("SubmitClosed").encode({17})), "SubmitClosed(deadline=17)");
  EXPECT_EQ(abi.decode_revert(abi.error("Missing").encode({})), "Missing()");
  EXPECT_EQ(abi.decode_revert(abi.error("Why").encode({"a\x1b[31m"})), "Why(text=\"a\\x1b[31m\")");
  EXPECT_EQ(abi.decode_revert(parse_error("Error(string)").encode({"Invalid submission"})),
            "Invalid submission");
  EXPECT_EQ(abi.decode_revert(parse_error("Panic(uint256)").encode({0x11})),
            "Panic(0x11): arithmetic overflow or underflow");
  EXPECT_EQ(abi.decode_revert({}), "no reason given");
  EXPECT_EQ(abi.decode_revert(from_hex("deadbeef")), "unknown error 0xdeadbeef");
  EXPECT_EQ(abi.decode_revert(from_hex("01")), "unknown error 0x01");
  // A known selector with bytes that do not fit is not that error.
  Bytes cut = abi.error("SubmitClosed").encode({17});
  cut.pop_back();
  EXPECT_FALSE(abi.find_revert(cut));
  EXPECT_EQ(abi.find_revert(abi.error("SubmitClosed").encode({17}))->arguments["deadline"].as_u64(),
            17u);

  AbiRegistry registry;
  registry.add(ContractAbi::from_signatures({"error Other()"}));
  registry.add(abi);
  EXPECT_EQ(registry.decode_revert(abi.error("Missing").encode({})), "Missing()");
  EXPECT_EQ(registry.find_revert(parse_error("Panic(uint256)").encode({1}))->name, "Panic");
  EXPECT_EQ(AbiRegistry().decode_revert(parse_error("Error(string)").encode({"no"})), "no");
}

TEST(contract_abi, creation_code) {
  Json artifact = Json::parse(R"({"abi":[{"type":"constructor","inputs":[{"type":"uint8"}]}],
                                  "bytecode":{"object":"0x6001"}})");
  EXPECT_EQ(to_hex(creation_code(artifact, {5})), "6001" + std::string(62, '0') + "05");
  EXPECT_EQ(error_of([&] { creation_code(artifact, {}); }), ErrorCode::kBadInput);
  artifact["bytecode"]["object"] = "0x60__$aa$__";
  EXPECT_EQ(error_of([&] { creation_code(artifact, {5}); }), ErrorCode::kBadInput);
  artifact["bytecode"] = "0x";
  EXPECT_EQ(error_of([&] { creation_code(artifact, {5}); }), ErrorCode::kBadInput);
}

}  // namespace
}  // namespace ffe::evm
