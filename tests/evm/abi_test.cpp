#include "evm/abi.hpp"

#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

TEST(abi, vectors) {
  for_each_case("abi.json", [](const Json& c) {
    std::vector<Type> types = types_of(c.at("types"));
    Values values = values_of(types, c.at("values"));
    Bytes encoded = hex_of(c, "encoded");
    EXPECT_EQ(to_hex(abi_encode(types, values)), to_hex(encoded));
    EXPECT_EQ(abi_decode(types, encoded), values);
  });
}

TEST(abi, packed_vectors) {
  for_each_case("packed.json", [](const Json& c) {
    std::vector<Type> types = types_of(c.at("types"));
    EXPECT_EQ(to_hex(abi_encode_packed(types, values_of(types, c.at("values")))),
              to_hex(hex_of(c, "encoded")));
  });
  EXPECT_THROW(abi_encode_packed(parse_types("uint8[]"), {Values{1}}), Error);
}

TEST(abi, round_trip_of_random_types) {
  Random random(4);
  for (int i = 0; i < 1500; ++i) {
    std::vector<Type> types;
    Values values;
    for (uint64_t n = random() % 5; n > 0; --n) {
      types.push_back(random_type(random, 3));
      values.push_back(random_value(random, types.back()));
      EXPECT_EQ(parse_type(types.back().canonical()), types.back());
    }
    Bytes encoded = abi_encode(types, values);
    ASSERT_EQ(abi_decode(types, encoded), values);
    EXPECT_EQ(encoded.size() % 32, 0u);
    Bytes longer = encoded;
    longer.push_back(7);
    EXPECT_EQ(error_of([&] { abi_decode(types, longer); }), ErrorCode::kBadInput);
    EXPECT_EQ(abi_decode(types, longer, Trailing::kAllow), values);
  }
}

TEST(abi, truncation_at_every_byte_is_refused) {
  Random random(5);
  for (int i = 0; i < 150; ++i) {
    std::vector<Type> types{random_type(random, 3)};
    Bytes encoded = abi_encode(types, {random_value(random, types[0])});
    for (size_t cut = 0; cut < encoded.size(); ++cut) {
      // From its own allocation, so that a sanitizer sees any read beyond the end.
      Bytes part(encoded.begin(), encoded.begin() + static_cast<ptrdiff_t>(cut));
      ASSERT_EQ(error_of([&] { abi_decode(types, part); }), ErrorCode::kBadInput);
    }
  }
}

// Whatever decodes is small and encodes again; everything else is an Error.
TEST(abi, altered_bytes_never_crash) {
  Random random(6);
  for (int i = 0; i < 4000; ++i) {
    std::vector<Type> types{random_type(random, 3), random_type(random, 2)};
    Bytes encoded =
        abi_encode(types, {random_value(random, types[0]), random_value(random, types[1])});
    for (int flips = 0; flips < 3; ++flips) {
      uint8_t& byte = encoded[random() % encoded.size()];
      byte = random() % 2 == 0 ? static_cast<uint8_t>(random())
                               : static_cast<uint8_t>(random() % 3 * 32);
    }
    try {
      Values values = abi_decode(types, encoded);
      EXPECT_EQ(abi_encode(types, values).size(), encoded.size());
    } catch (const Error& e) {
      ASSERT_EQ(e.code(), ErrorCode::kBadInput) << e.what();
    }
  }
}

Bytes words(std::initializer_list<U256> list) {
  Bytes out;
  for (const U256& word : list) append(out, word.to_h256().bytes);
  return out;
}

void refused(const char* types, const Bytes& data, const char* why) {
  try {
    abi_decode(parse_types(types), data);
    ADD_FAILURE() << types << " accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kBadInput);
    EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
  }
}

TEST(abi, dirty_padding_is_refused) {
  refused("address", words({U256::power_of_two(160)}), "padding");
  refused("bool", words({2}), "neither 0 nor 1");
  refused("bool", words({U256::power_of_two(255)}), "neither 0 nor 1");
  refused("uint8", words({256}), "out of range");
  refused("uint248", words({U256::power_of_two(248)}), "out of range");
  refused("int8", words({128}), "out of range");
  refused("int8", words({U256(129).twos_complement()}), "out of range");
  refused("int128", words({U256::power_of_two(255)}), "out of range");
  refused("bytes4", words({1}), "padding");
  refused("bytes", words({32, 1, 1}), "padding");
  refused("string", words({32, 31, 1}), "padding");
  EXPECT_EQ(abi_decode(parse_types("int8"), words({U256(128).twos_complement()}))[0].as_i64(),
            -128);
}

TEST(abi, hostile_offsets_and_lengths) {
  refused("bytes", words({U256::max(), 0}), "offset beyond");
  refused("bytes", words({96, 0}), "offset beyond");
  refused("bytes", words({64, 0}), "ends early");
  refused("bytes", words({32, U256::max()}), "longer than the data");
  refused("bytes", words({32, 33, 0}), "longer than the data");
  refused("uint256[]", words({32, U256::power_of_two(255)}), "more items");
  refused("uint256[]", words({32, 2, 0}), "more items");
  refused("bytes[]", words({32, 2, 64}), "more items");
  refused("bytes", words({0}), "overlaps");
  refused("bytes,bytes", words({64, 64, 0}), "overlaps");
  refused("uint256", {}, "ends early");
  refused("uint256", words({1, 2}), "belong to no value");
  refused("uint256[65536]", words({1, 2}), "ends early");
}

// k levels of arrays whose two items are the same bytes would unfold to 2^k values.
TEST(abi, shared_data_cannot_explode) {
  constexpr int kLevels = 14;
  Bytes data = words({32});
  std::string type = "uint256";
  for (int i = 0; i < kLevels; ++i) {
    type += "[]";
    append(data, words({2, 64, 64}));
  }
  refused((type + "[]").c_str(), data, "");
}

TEST(abi, errors_name_the_place) {
  Type tuple = parse_type("(uint64 id, (bytes32 root, address[] who) gate)");
  auto message = [&](const Values& values) -> std::string {
    try {
      abi_encode_members(tuple, values);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  H256 root;
  Address who;
  EXPECT_EQ(message({1, Values{root, Values{who}}}), "");
  EXPECT_NE(message({1, Values{root, Values{who, "x"}}}).find(".gate.who[1] (address)"),
            std::string::npos);
  EXPECT_NE(message({-1, Values{root, Values{}}}).find(".id (uint64): out of range: -1"),
            std::string::npos);
  EXPECT_NE(message({1, Values{root}}).find("2 items are needed, got 1"), std::string::npos);
  EXPECT_NE(message({1}).find("2 values are needed, got 1"), std::string::npos);
}

TEST(abi, values_fit_their_types_only) {
  auto refuse = [](const char* type, const Value& value) {
    EXPECT_EQ(error_of([&] { abi_encode({parse_type(type)}, {value}); }), ErrorCode::kBadInput)
        << type << " " << value.to_string();
  };
  refuse("uint8", 256);
  refuse("uint256", -1);
  refuse("int8", 128);
  refuse("int8", -129);
  refuse("int256", U256::power_of_two(255));
  refuse("bool", 1);
  refuse("uint8", true);
  refuse("address", H256());
  refuse("bytes4", Bytes(5));
  refuse("bytes32", "text");
  refuse("string", Bytes(5));
  refuse("uint8[2]", Values{1});
  refuse("uint8[]", 1);
  EXPECT_EQ(abi_encode({parse_type("int8")}, {-128}), words({U256(128).twos_complement()}));
  EXPECT_EQ(abi_encode({parse_type("int256")}, {INT64_MIN}),
            words({U256::power_of_two(63).twos_complement()}));
  EXPECT_EQ(abi_encode({parse_type("bytes20")}, {Address()}).size(), 32u);
  EXPECT_EQ(abi_encode({parse_type("bytes32[]")}, {std::vector<H256>(2)}).size(), 128u);
}

TEST(abi, access_by_name_and_kind) {
  Value terms = abi_decode_members(
      parse_type("(uint64 id, (string text, int64 z)[] items)"),
      abi_encode(parse_types("uint64,(string,int64)[]"), {7, Values{Values{"a\n", -5}}}));
  EXPECT_EQ(terms["id"].as_u64(), 7u);
  EXPECT_EQ(terms["items"][0]["text"].as_string(), "a\n");
  EXPECT_EQ(terms["items"][0]["z"].as_i64(), -5);
  EXPECT_EQ(terms[1].size(), 1u);
  EXPECT_EQ(terms.to_string(), "(id=7, items=[(text=\"a\\x0a\", z=-5)])");
  EXPECT_EQ(error_of([&] { terms["absent"]; }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { terms[2]; }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { terms[-1]; }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { terms["id"].as_string(); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { terms["items"][0]["z"].as_u64(); }), ErrorCode::kBadInput);
}

TEST(abi, type_texts) {
  EXPECT_EQ(parse_type(" tuple( uint a , int [3][] b ) [2] ").canonical(),
            "(uint256,int256[3][])[2]");
  EXPECT_EQ(parse_type("address payable").canonical(), "address");
  for (const char* bad : {"",
                          "uint7",
                          "uint264",
                          "uint0",
                          "uint08",
                          "int257",
                          "bytes0",
                          "bytes33",
                          "bytes032",
                          "byte",
                          "fixed",
                          "function",
                          "uint8[0]",
                          "uint8[",
                          "uint8[-1]",
                          "uint8[01]",
                          "()",
                          "(uint8",
                          "(uint8,)",
                          "uint8)",
                          "uint8[99999999999999999999]",
                          "uint256[1048576]",
                          "uint256[1024][1024]",
                          "uint 8",
                          "tuple",
                          "address,bool"}) {
    EXPECT_EQ(error_of([&] { parse_type(bad); }), ErrorCode::kBadInput) << bad;
  }
  std::string deep = std::string(100, '(') + "uint8" + std::string(100, ')');
  EXPECT_EQ(error_of([&] { parse_type(deep); }), ErrorCode::kBadInput);
  std::string wide = "uint8";
  for (int i = 0; i < 100; ++i) wide += "[]";
  EXPECT_EQ(error_of([&] { parse_type(wide); }), ErrorCode::kBadInput);
}

}  // namespace
}  // namespace ffe::evm
