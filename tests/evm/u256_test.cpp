#include "evm/u256.hpp"

#include "evm/rlp.hpp"
#include "evm_test_util.hpp"

namespace ffe::evm {
namespace {

using namespace test;

TEST(u256, units_vectors) {
  for_each_case("units.json", [](const Json& c) {
    U256 amount = U256::parse(text_of(c, "amount"));
    unsigned decimals = c.at("decimals").get<unsigned>();
    EXPECT_EQ(amount.to_string(), text_of(c, "amount"));
    EXPECT_EQ(amount.to_hex_quantity(), text_of(c, "hex"));
    EXPECT_EQ(U256::parse_quantity(text_of(c, "hex")), amount);
    EXPECT_EQ(format_units(amount, decimals), text_of(c, "text"));
    EXPECT_EQ(parse_units(text_of(c, "text"), decimals), amount);
  });
}

U256 random_number(Random& random) {
  return U256::from_be(random_content(random, random() % 33));
}

TEST(u256, arithmetic_laws) {
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    U256 a = random_number(random);
    U256 b = random_number(random);
    EXPECT_EQ((a ^ b) ^ b, a);
    EXPECT_EQ((a & b) + (a ^ b), a | b);
    EXPECT_EQ(U256::from(a.to_h256()), a);
    EXPECT_EQ(U256::parse(a.to_string()), a);
    EXPECT_EQ(a.twos_complement().twos_complement(), a);
    U256 low = a >> 130;
    U256 factor = b >> 130;
    EXPECT_EQ(low * factor, factor * low);
    EXPECT_EQ((low + factor) * factor, low * factor + factor * factor);
    if (!b.is_zero()) {
      U256 quotient = a / b;
      U256 rest = a % b;
      EXPECT_LT(rest, b);
      EXPECT_EQ(quotient * b + rest, a);
    }
    if (a >= b) {
      EXPECT_EQ(a - b + b, a);
    } else {
      EXPECT_THROW(a - b, Error);
    }
    unsigned shift = static_cast<unsigned>(random() % 256);
    EXPECT_EQ(low << 7 >> 7, low);
    EXPECT_EQ(a >> shift, a / U256::power_of_two(shift));
  }
}

TEST(u256, against_128_bit_arithmetic) {
  __extension__ using Wide = unsigned __int128;
  Random random(2);
  auto both = [](Wide v) {
    return (U256(static_cast<uint64_t>(v >> 64)) << 64) + U256(static_cast<uint64_t>(v));
  };
  for (int i = 0; i < 20000; ++i) {
    Wide a = Wide{random() >> random() % 64} << 32 | random() >> 40;
    Wide b = random() >> random() % 64 | 1;
    EXPECT_EQ(both(a) / both(b), both(a / b));
    EXPECT_EQ(both(a) % both(b), both(a % b));
    EXPECT_EQ(both(a >> 64) * both(b), both((a >> 64) * b));
    EXPECT_EQ(both(a) < both(b), a < b);
  }
}

TEST(u256, limits) {
  EXPECT_THROW(U256::max() + 1, Error);
  EXPECT_THROW(U256::power_of_two(128) * U256::power_of_two(128), Error);
  EXPECT_EQ(U256::power_of_two(128) * U256::power_of_two(127), U256::power_of_two(255));
  EXPECT_THROW(U256(1) / 0, Error);
  EXPECT_THROW(U256(-1), Error);
  EXPECT_THROW(U256::parse(U256::max().to_string() + "0"), Error);
  EXPECT_EQ(U256(UINT64_MAX).to_u64(), UINT64_MAX);
  EXPECT_EQ(error_of([] { (U256(UINT64_MAX) + 1).to_u64("stake"); }), ErrorCode::kBadInput);
  for (const char* bad : {"", "0x", " 1", "1 ", "-1", "+1", "1e3", "1_000", "0xg", "0X1", "1.0"}) {
    EXPECT_EQ(error_of([&] { U256::parse(bad); }), ErrorCode::kBadInput) << bad;
  }
  for (const char* bad : {"", "0x", "0", "1", "0x00", "0x01", "0xg", "0X1"}) {
    EXPECT_EQ(error_of([&] { U256::parse_quantity(bad); }), ErrorCode::kBadInput) << bad;
  }
  std::string above = "0x1" + std::string(64, '0');
  EXPECT_EQ(error_of([&] { U256::parse_quantity(above); }), ErrorCode::kBadInput);
}

TEST(u256, amounts) {
  EXPECT_EQ(parse_ether("0.000000000000000001"), U256(1));
  EXPECT_EQ(format_ether(parse_ether("12.5")), "12.5");
  EXPECT_EQ(parse_units("2", 9), U256(2 * kGwei));
  for (const char* bad :
       {"", ".", ".5", "1.", "1,5", "-1", "1e18", "0x1", "1.0000000000000000001", "1.2.3", " 1"}) {
    EXPECT_EQ(error_of([&] { parse_ether(bad); }), ErrorCode::kBadInput) << bad;
  }
}

RlpItem item_from_json(const Json& json) {
  if (json.is_string()) return from_hex(json.get<std::string>());
  std::vector<RlpItem> list;
  for (const Json& member : json) list.push_back(item_from_json(member));
  return list;
}

TEST(rlp, vectors) {
  for_each_case("rlp.json", [](const Json& c) {
    RlpItem item = item_from_json(c.at("value"));
    Bytes encoded = hex_of(c, "encoded");
    EXPECT_EQ(rlp_encode(item), encoded);
    EXPECT_EQ(rlp_decode(encoded), item);
    for (size_t cut = 0; cut < encoded.size(); ++cut) {
      EXPECT_EQ(error_of([&] { rlp_decode(ByteView(encoded).first(cut)); }), ErrorCode::kBadInput);
    }
    encoded.push_back(0);
    EXPECT_EQ(error_of([&] { rlp_decode(encoded); }), ErrorCode::kBadInput);
  });
}

// The examples of the yellow paper and of the developer documentation.
TEST(rlp, known_encodings) {
  EXPECT_EQ(to_hex(rlp_encode(RlpItem::of(as_bytes("dog")))), "83646f67");
  EXPECT_EQ(to_hex(rlp_encode(RlpItem::of(U256(0)))), "80");
  EXPECT_EQ(to_hex(rlp_encode(RlpItem::of(U256(15)))), "0f");
  EXPECT_EQ(to_hex(rlp_encode(RlpItem::of(U256(1024)))), "820400");
  EXPECT_EQ(to_hex(rlp_encode(item_from_json(Json::parse(R"([[],[[]],[[],[[]]]])")))),
            "c7c0c1c0c3c0c1c0");
}

TEST(rlp, refuses_what_is_not_canonical) {
  for (const char* bad : {"8100", "817f", "b800", "b837", "b90001", "f800", "f90000", "c1", "bf",
                          "bfffffffffffffffff", "ffffffffffffffffff", "c28363", ""}) {
    EXPECT_EQ(error_of([&] { rlp_decode(from_hex(bad)); }), ErrorCode::kBadInput) << bad;
  }
  RlpItem nested = std::vector<RlpItem>{};
  for (int levels = 1; levels < 60; ++levels) nested = std::vector<RlpItem>{std::move(nested)};
  EXPECT_EQ(rlp_decode(rlp_encode(nested)), nested);
  for (int levels = 60; levels < 100; ++levels) nested = std::vector<RlpItem>{std::move(nested)};
  EXPECT_EQ(error_of([&] { rlp_decode(rlp_encode(nested)); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { rlp_decode(Bytes(2 << 20, 0)); }), ErrorCode::kBadInput);
  EXPECT_EQ(error_of([&] { rlp_decode(from_hex("820001")).to_u256("n"); }), ErrorCode::kBadInput);
}

// Any bytes that decode encode to the same bytes: there is one form only.
TEST(rlp, decoding_is_injective) {
  Random random(3);
  size_t decoded = 0;
  for (int i = 0; i < 200000; ++i) {
    Bytes data = random_content(random, 1 + random() % 8);
    data[0] = static_cast<uint8_t>(0xc0 + data.size() - 1);
    try {
      EXPECT_EQ(rlp_encode(rlp_decode(data)), data);
      ++decoded;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ErrorCode::kBadInput);
    }
  }
  EXPECT_GT(decoded, 1000u);
}

}  // namespace
}  // namespace ffe::evm
