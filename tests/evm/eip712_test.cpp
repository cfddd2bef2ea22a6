#include "evm/eip712.hpp"

#include <algorithm>

#include "crypto/secp256k1.hpp"
#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

TEST(eip712, vectors) {
  for_each_case("typed_data.json", [](const Json& c) {
    std::vector<std::string> texts = c.at("definitions").get<std::vector<std::string>>();
    StructTypes types({texts.begin(), texts.end()});
    std::string primary = text_of(c, "primary");
    EXPECT_EQ(types.encode_type(primary), text_of(c, "encodeType"));

    Values members = value_from_json(parse_type(text_of(c, "abi")), c.at("values")).items();
    H256 hash = types.hash_struct(primary, members);
    EXPECT_EQ(to_hex0x(hash.bytes), text_of(c, "structHash"));
    EXPECT_EQ(hash_struct(text_of(c, "encodeType"), members), hash);

    const Json& domain = c.at("domain");
    H256 separator = domain_separator(text_of(domain, "name"), text_of(domain, "version"),
                                      domain.at("chainId").get<uint64_t>(),
                                      address_of(domain, "verifyingContract"));
    EXPECT_EQ(to_hex0x(separator.bytes), text_of(c, "domainSeparator"));
    H256 digest = typed_data_digest(separator, hash);
    EXPECT_EQ(to_hex0x(digest.bytes), text_of(c, "digest"));

    crypto::PrivateKey key = crypto::PrivateKey::from(hex_of(c, "key"));
    EXPECT_EQ(to_hex0x(key.sign(digest).bytes), text_of(c, "signature"));
  });
}

// The example of the EIP itself.
TEST(eip712, mail) {
  std::string_view type =
      "Mail(Person from,Person to,string contents)Person(string name,address wallet)";
  Values cow{"Cow", address_from_hex("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")};
  Values bob{"Bob", address_from_hex("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")};
  H256 hash = hash_struct(type, {cow, bob, "Hello, Bob!"});
  EXPECT_EQ(to_hex(hash.bytes), "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
  H256 domain = domain_separator("Ether Mail", "1", 1,
                                 address_from_hex("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"));
  EXPECT_EQ(to_hex(domain.bytes),
            "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
  EXPECT_EQ(to_hex(typed_data_digest(domain, hash).bytes),
            "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
}

TEST(eip712, definitions_that_are_refused) {
  for (const char* bad : {"", "A", "A(", "A(uint256)", "A(uint256 a,)", "A(uint a)", "A(int[] a)",
                          "A(B b)", "A(A a)", "A(B b)B(A[] a)", "A(bool a)A(bool a)",
                          "bool(bool a)", "A(uint8[0] a)", "A(uint7 a)", "A(bool a) x"}) {
    EXPECT_EQ(error_of([&] { StructTypes({bad}); }), ErrorCode::kBadInput) << bad;
  }
  EXPECT_NO_THROW(StructTypes({"A()"}).hash_struct("A", {}));
}

TEST(eip712, values_that_do_not_fit) {
  StructTypes types({"A(uint8 n,B[2] b)", "B(string s)"});
  EXPECT_NO_THROW(types.hash_struct("A", {1, Values{Values{"x"}, Values{"y"}}}));
  auto message = [&](const Values& members) -> std::string {
    try {
      types.hash_struct("A", members);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message({1}).find("2 members"), std::string::npos);
  EXPECT_NE(message({256, Values{}}).find("A.n"), std::string::npos);
  EXPECT_NE(message({1, Values{Values{"x"}}}).find("A.b: 2 items"), std::string::npos);
  EXPECT_NE(message({1, Values{Values{"x"}, Values{1}}}).find("A.b[1].s"), std::string::npos);
  EXPECT_NE(message({1, Values{Values{"x"}, "y"}}).find("A.b[1]"), std::string::npos);
  EXPECT_EQ(error_of([&] { types.hash_struct("C", {}); }), ErrorCode::kBadInput);
}

}  // namespace
}  // namespace ffe::evm
