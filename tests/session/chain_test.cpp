// The contracts' words in C++: every custom error of every contract is told by its name.
#include "session/chain.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"

namespace ffe::session {
namespace {

namespace fs = std::filesystem;

// Any value of a type: what matters is the selector and that the arguments decode.
evm::Value some(const evm::Type& type) {
  using Kind = evm::Type::Kind;
  switch (type.kind) {
    case Kind::kBool:
      return true;
    case Kind::kAddress:
      return Address{};
    case Kind::kString:
      return "text";
    case Kind::kBytes:
      return Bytes{1, 2};
    case Kind::kFixedBytes:
      return Bytes(type.size, 7);
    default:
      return 1;
  }
}

TEST(chain, every_custom_error_has_its_name) {
  size_t errors = 0;
  for (const auto& file : fs::directory_iterator(fs::path(FFE_SOURCE_DIR) / "contracts" / "abi")) {
    // 0G Compute's, which src/compute knows.
    const std::string name = file.path().stem();
    if (name == "LedgerManager" || name.ends_with("Serving")) continue;
    auto abi = evm::ContractAbi::from_json(
        parse_json(read_text_file(file.path()), file.path().string()), file.path().string());
    for (const evm::ErrorDef& error : abi.errors()) {
      evm::Values arguments;
      for (const evm::Param& p : error.inputs) arguments.push_back(some(p.type));
      std::optional<evm::Revert> revert = contract_errors()->find_revert(error.encode(arguments));
      ASSERT_TRUE(revert) << file.path().filename() << ": " << error.signature();
      EXPECT_EQ(revert->name, error.name);
      EXPECT_TRUE(revert->text.starts_with(error.name + "(")) << revert->text;
      ++errors;
    }
  }
  EXPECT_GT(errors, 80u);
  // Tokens say why by ERC-6093.
  auto missing = evm::parse_error(
      "error ERC20InsufficientAllowance(address spender, uint256 allowance, uint256 needed)");
  EXPECT_EQ(contract_errors()->find_revert(missing.encode({Address{}, 1, 2}))->name,
            "ERC20InsufficientAllowance");
}

}  // namespace
}  // namespace ffe::session
