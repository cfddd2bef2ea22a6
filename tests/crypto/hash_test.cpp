#include "crypto/hash.hpp"

#include <random>

#include "crypto/keccak.hpp"
#include "vectors.hpp"

namespace ffe::crypto {
namespace {

using namespace ffe::test;

TEST(Keccak, KnownAnswers) {
  EXPECT_EQ(to_hex(keccak256("")),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(to_hex(keccak256("abc")),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

TEST(Hash, AgreesWithEthersAndNoble) {
  for_each_case("hash.json", [](const Json& c) {
    Bytes message = hex_of(c, "message");
    EXPECT_EQ(keccak256(message), fixed_of<32>(c, "keccak256"));
    EXPECT_EQ(sha256(message), fixed_of<32>(c, "sha256"));
    EXPECT_EQ(sha384(message), fixed_of<48>(c, "sha384"));
    EXPECT_EQ(sha512(message), fixed_of<64>(c, "sha512"));
  });
}

Bytes noise(size_t size, uint32_t seed) {
  std::mt19937 engine(seed);
  Bytes out(size);
  for (uint8_t& b : out) b = static_cast<uint8_t>(engine());
  return out;
}

TEST(Keccak, IncrementalEqualsWhole) {
  Bytes data = noise(2000, 1);
  std::mt19937 engine(2);
  Keccak256 keccak;
  Sha256 sha;
  for (int round = 0; round < 200; ++round) {
    size_t size = engine() % (data.size() + 1);
    ByteView view(data.data(), size);
    while (!view.empty()) {
      size_t n = std::min<size_t>(view.size(), engine() % 300);
      keccak.update(view.first(n));
      sha.update(view.first(n));
      view = view.subspan(n);
    }
    ASSERT_EQ(keccak.finish(), keccak256(ByteView(data.data(), size))) << size;
    ASSERT_EQ(sha.finish(), sha256(ByteView(data.data(), size))) << size;
  }
}

class KeccakMany : public testing::TestWithParam<KeccakPath> {};

TEST_P(KeccakMany, EqualsOneByOne) {
  if (!keccak_path_available(GetParam())) GTEST_SKIP() << "this processor lacks the path";
  for (size_t len : {0, 1, 8, 32, 64, 135, 136, 137, 256, 271, 272, 273, 500}) {
    for (size_t stride : {len, len + 1, len + 64}) {
      for (size_t n : {0, 1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 23}) {
        Bytes data = noise(n * stride + len, static_cast<uint32_t>(len + n));
        std::vector<H256> got(n + 1);
        keccak256_many_on(GetParam(), data.data(), stride, len, got.data(), n);
        for (size_t i = 0; i < n; ++i) {
          ASSERT_EQ(got[i], keccak256(ByteView(data.data() + i * stride, len)))
              << "len " << len << " stride " << stride << " message " << i << " of " << n;
        }
        ASSERT_TRUE(got[n].is_zero());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, KeccakMany,
                         testing::Values(KeccakPath::kScalar, KeccakPath::kAvx2,
                                         KeccakPath::kAvx512),
                         [](const auto& info) {
                           return std::string(info.param == KeccakPath::kScalar ? "scalar"
                                              : info.param == KeccakPath::kAvx2 ? "avx2"
                                                                                : "avx512");
                         });

TEST(Keccak, ManyPicksAPath) {
  Bytes data = noise(64 * 256, 3);
  std::vector<H256> got(64);
  keccak256_many(data.data(), 256, 256, got.data(), got.size());
  for (size_t i = 0; i < 64; ++i)
    EXPECT_EQ(got[i], keccak256(ByteView(data).subspan(i * 256, 256)));
}

TEST(Hkdf, AgreesWithNoble) {
  for_each_case("hkdf.json", [](const Json& c) {
    Bytes ikm = hex_of(c, "ikm"), salt = hex_of(c, "salt"), info = hex_of(c, "info");
    SecretBytes out = hkdf_sha256(ikm, salt, info, c.at("length"));
    EXPECT_EQ(sha256(out.view()), fixed_of<32>(c, "hkdf_sha256"));
    if (c.contains("hkdf")) {
      EXPECT_EQ(to_hex(out.view()), c.at("hkdf"));
    }
    EXPECT_EQ(hmac_sha256(salt, ikm), fixed_of<32>(c, "hmac"));
  });
}

TEST(Hkdf, Rfc5869Case1AndLimits) {
  Bytes ikm(22, 0x0b);
  Bytes salt = from_hex("000102030405060708090a0b0c"), info = from_hex("f0f1f2f3f4f5f6f7f8f9");
  EXPECT_EQ(to_hex(hkdf_sha256(ikm, salt, info, 42).view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_TRUE(hkdf_sha256(ikm, salt, info, 0).empty());
  EXPECT_EQ(error_of([&] { hkdf_sha256(ikm, salt, info, 255 * 32 + 1); }), ErrorCode::kBadInput);
}

TEST(Hmac, Rfc4231Case2AndLongKey) {
  EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, 0xaa),
                               as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace ffe::crypto
