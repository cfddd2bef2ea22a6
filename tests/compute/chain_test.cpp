#include "compute/chain.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/hex.hpp"
#include "compute/inference_chain.hpp"

namespace ffe::compute {
namespace {

const Json& published() {
  static const Json all = parse_json(
      read_text_file(std::string(FFE_SOURCE_DIR) + "/tests/vectors/compute/contracts.json"),
      "contracts.json");
  return all;
}

std::string outputs_of(const evm::Function& f) {
  std::string out;
  for (const evm::Param& p : f.outputs) out += (out.empty() ? "" : ",") + p.type.canonical();
  return out;
}

// Every function, event and error of the deployed contract is there under its number, with the same
// results, and nothing else.
void expect_published(const char* name, const evm::ContractAbi& abi) {
  SCOPED_TRACE(name);
  const Json& want = published().at(name);
  EXPECT_EQ(abi.functions().size(), want["functions"].size());
  for (const Json& f : want["functions"]) {
    std::string signature = f["signature"];
    const evm::Function& ours = abi.function(signature);
    EXPECT_EQ(to_hex0x(ours.selector().bytes), f["selector"]) << signature;
    EXPECT_EQ(outputs_of(ours), f["outputs"]) << signature;
  }
  EXPECT_EQ(abi.events().size(), want["events"].size());
  for (const Json& e : want["events"]) {
    evm::ContractAbi one = evm::ContractAbi::from_signatures({e["definition"].get<std::string>()});
    H256 topic = h256_from_hex(e["topic"].get<std::string>());
    const evm::Event* ours = nullptr;
    for (const evm::Event& event : abi.events()) {
      if (event.topic() == topic) ours = &event;
    }
    ASSERT_NE(ours, nullptr) << e;
    ASSERT_EQ(ours->inputs.size(), one.events()[0].inputs.size()) << e;
    for (size_t i = 0; i < ours->inputs.size(); ++i) {
      EXPECT_EQ(ours->inputs[i].indexed, one.events()[0].inputs[i].indexed) << e;
    }
  }
  EXPECT_EQ(abi.errors().size(), want["errors"].size());
  for (const Json& e : want["errors"]) {
    auto selector = evm::Selector::from(from_hex(e["selector"].get<std::string>()));
    EXPECT_NE(abi.find_error(selector), nullptr) << e;
  }
}

TEST(ComputeChain, AbiIsTheNetworks) {
  expect_published("FineTuningServing", *fine_tuning_abi());
  expect_published("LedgerManager", *ledger_abi());
}

// The local inference contract has what clients ask of the networks' one: each under its number,
// and nothing that is not there.
TEST(ComputeChain, InferenceAbiIsPartOfTheNetworks) {
  const Json& want = published().at("InferenceServing");
  auto find = [&](const char* kind, const char* member, const std::string& value) -> Json {
    for (const Json& one : want.at(kind)) {
      if (one.at(member) == value) return one;
    }
    return nullptr;
  };
  const evm::ContractAbi& abi = *inference_abi();
  EXPECT_GE(abi.functions().size(), 25u);
  for (const evm::Function& f : abi.functions()) {
    const Json theirs = find("functions", "selector", to_hex0x(f.selector().bytes));
    ASSERT_FALSE(theirs.is_null()) << f.name;
    EXPECT_EQ(outputs_of(f), theirs["outputs"]) << f.name;
  }
  for (const evm::Event& e : abi.events()) {
    EXPECT_FALSE(find("events", "topic", to_hex0x(e.topic().bytes)).is_null()) << e.name;
  }
  for (const auto& e : abi.errors()) {
    EXPECT_FALSE(find("errors", "selector", to_hex0x(e.selector().bytes)).is_null()) << e.name;
  }
}

TEST(ComputeChain, KnowsTheNetworks) {
  EXPECT_TRUE(known_inference("galileo"));
  EXPECT_FALSE(known_inference("devnet"));
  EXPECT_TRUE(known_contracts("galileo"));
  EXPECT_TRUE(known_contracts("aristotle"));
  EXPECT_FALSE(known_contracts("devnet"));
}

}  // namespace
}  // namespace ffe::compute
